-- KEYS: the failures of an address, all bans. ARGV: the failure with which a ban begins, how many milliseconds one counts, how many a ban lasts,
-- the ban's name, this failure's. Gives whether a ban began.
local failures, window, lasts = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local running = redis.call('ZSCORE', KEYS[2], ARGV[4])
if running and tonumber(running) > now then
  return 0
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now - window))
redis.call('ZADD', KEYS[1], text(now), ARGV[5])
redis.call('PEXPIRE', KEYS[1], text(window))
if redis.call('ZCARD', KEYS[1]) < failures then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('ZADD', KEYS[2], text(now + lasts), ARGV[4])
return 1
