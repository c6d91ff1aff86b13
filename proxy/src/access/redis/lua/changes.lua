-- Bans. KEYS[1]: when each ends. KEYS[2]: each by the number of its last change, so that whoever knows of changes up to one is told of those after it alone.
local MOST_BANS = 65536

-- Notes that a ban began or was lifted. What changed longest ago goes first where there is too much.
local function changed(name, lasts)
  local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
  -- By the time, so that a Redis that lost its memory goes on with greater ones.
  local number = last[2] and math.max(now, tonumber(last[2]) + 1) or now
  redis.call('ZADD', KEYS[2], text(number), name)
  keep(KEYS[2], lasts)
  if redis.call('ZCARD', KEYS[2]) > MOST_BANS then
    local oldest = redis.call('ZRANGE', KEYS[2], 0, 0)
    redis.call('ZREM', KEYS[1], oldest[1])
    redis.call('ZREM', KEYS[2], oldest[1])
  end
end

-- Forgets some of the bans that are over.
local function forget_bans()
  local over = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now), 'LIMIT', 0, 64)
  if over[1] then
    redis.call('ZREM', KEYS[1], unpack(over))
    redis.call('ZREM', KEYS[2], unpack(over))
  end
end
