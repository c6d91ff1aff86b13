-- Counts of mere addresses, which anybody can make ever more of. Each limit has a key that knows when each of them counts nothing any more, and has so many at most.
local MOST_ADDRESSES = 65536

-- Remembers a count for as long as it counts anything; one of an address by the key that knows its limit's.
local function remember(key, addresses, milliseconds)
  redis.call('PEXPIRE', key, text(milliseconds + 1000))
  if addresses then
    redis.call('ZADD', addresses, text(now + milliseconds), key)
    keep(addresses, milliseconds + 1000)
  end
end

-- Where an address is counted, and by which key that is known: under a count of its own, or where there is no room for one, together with others, in a group, until there
-- is. Its own begins with all that the group has counted, so that nothing of it is forgotten. Where the count is of no mere address, all keys are its own.
local function place_of(own, addresses, group, kind, window, width)
  if addresses == own then
    return own
  end
  local ends = redis.call('ZSCORE', addresses, own)
  if ends and tonumber(ends) > now then
    return own, addresses
  end
  local over = redis.call('ZRANGEBYSCORE', addresses, '-inf', text(now), 'LIMIT', 0, 64)
  if over[1] then
    redis.call('ZREM', addresses, unpack(over))
  end
  if redis.call('ZCARD', addresses) >= MOST_ADDRESSES then
    return group
  end
  local longest, cells = 0, redis.call('HGETALL', group)
  for cell = 1, #cells, 2 do
    local left = left_of(kind, tonumber(cells[cell]), window, width)
    if left > 0 then
      redis.call('HINCRBY', own, cells[cell], cells[cell + 1])
      longest = math.max(longest, left)
    end
  end
  if longest > 0 then
    remember(own, addresses, longest)
  end
  return own, addresses
end
