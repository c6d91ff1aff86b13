-- KEYS: one for each lease that is held. ARGV: how many milliseconds leases last, then the lease of each key.
local lasts = tonumber(ARGV[1])
for at, key in ipairs(KEYS) do
  redis.call('ZADD', key, text(now + lasts), ARGV[at + 1])
  redis.call('PEXPIRE', key, text(2 * lasts))
end
return 1
