-- KEYS: all bans. ARGV: how many are given at most. Gives those that run, each with how many milliseconds are left of it; those that last longest first.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now))
local out = {}
local bans = redis.call('ZREVRANGE', KEYS[1], 0, tonumber(ARGV[1]) - 1, 'WITHSCORES')
for at = 1, #bans, 2 do
  out[#out + 1] = bans[at]
  out[#out + 1] = text(tonumber(bans[at + 1]) - now)
end
return out
