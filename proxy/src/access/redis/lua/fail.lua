-- KEYS[3]: when authentication failed, by name of the ban that would come of it. KEYS[4]: when the failures of each count no more. ARGV: the failure with
-- which a ban begins, how many milliseconds one counts, how many a ban lasts, the ban's name. Gives whether a ban began.
local MOST_ADDRESSES, MOST_FAILURES = 65536, 2097152
local failures, window, lasts, name = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local running = redis.call('ZSCORE', KEYS[1], name)
if running and tonumber(running) > now then
  return 0
end

-- How many failures there are of all names: no name is empty.
local function count(more)
  redis.call('HINCRBY', KEYS[3], '', text(more))
end

local function forget(which)
  local had = redis.call('HGET', KEYS[3], which)
  if had then
    local _, spaces = string.gsub(had, ' ', ' ')
    count(-spaces)
    redis.call('HDEL', KEYS[3], which)
  end
  redis.call('ZREM', KEYS[4], which)
end

local times = {}
for at in string.gmatch(redis.call('HGET', KEYS[3], name) or '', '%d+') do
  if tonumber(at) > now - window then
    times[#times + 1] = at
  end
end
times[#times + 1] = text(now)
forget(name)
if #times >= failures then
  redis.call('ZADD', KEYS[1], text(now + lasts), name)
  keep(KEYS[1], lasts)
  changed(name, lasts)
  forget_bans()
  return 1
end
redis.call('HSET', KEYS[3], name, table.concat(times, ' ') .. ' ')
count(#times)
redis.call('ZADD', KEYS[4], text(now + window), name)
keep(KEYS[3], window)
keep(KEYS[4], window)
for _, over in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', text(now), 'LIMIT', 0, 64)) do
  forget(over)
end
-- Those that are closest to being forgotten go first.
for _ = 1, 64 do
  local all = tonumber(redis.call('HGET', KEYS[3], '') or 0)
  if redis.call('ZCARD', KEYS[4]) <= MOST_ADDRESSES and all <= MOST_FAILURES then
    break
  end
  local least = redis.call('ZRANGE', KEYS[4], 0, 0)
  if not least[1] then
    break
  end
  forget(least[1])
end
return 0
