-- KEYS[3] and KEYS[4]: as where authentication fails. ARGV: the ban's name. Told even of a ban that is not known here: proxies may know it.
redis.call('ZREM', KEYS[1], ARGV[1])
changed(ARGV[1], DAY)
local had = redis.call('HGET', KEYS[3], ARGV[1])
if had then
  local _, spaces = string.gsub(had, ' ', ' ')
  redis.call('HINCRBY', KEYS[3], '', text(-spaces))
  redis.call('HDEL', KEYS[3], ARGV[1])
  redis.call('ZREM', KEYS[4], ARGV[1])
end
return 1
