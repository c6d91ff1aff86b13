-- KEYS, three for each count: its own, and where it is of an address alone, the key that knows the addresses of its limit, and its group's; otherwise its own again.
-- ARGV: the lease's name and its milliseconds, then five for each count: what it is (w, d, m; c for requests at once), the most, the amount, the window's
-- milliseconds, a tick's. Gives {1, now, used, reset, together, used, reset, together…}, or of what takes longest to fit {0, now, which, wait or -1, used, reset,
-- together}; together is 1 where a group counts.
local lease, lasts = ARGV[1], tonumber(ARGV[2])
local counts = #KEYS / 3

local function argument(count, at)
  return ARGV[2 + (count - 1) * 5 + at]
end

local function newest_first(one, other)
  return one[1] > other[1]
end

local out, full, longest, places = { 1, now }, nil, -1, {}
-- What does not fit now. What never does takes longest.
local function refuse(at, wait, used, reset, together)
  local length = wait < 0 and math.huge or wait
  if length > longest then
    full, longest = { 0, now, at, wait, used, reset, together }, length
  end
end

local function tell(used, reset, together)
  out[#out + 1], out[#out + 2], out[#out + 3] = used, reset, together
end

for at = 1, counts do
  local own, kind, most, amount = KEYS[3 * at - 2], argument(at, 1), tonumber(argument(at, 2)), tonumber(argument(at, 3))
  local window, width = tonumber(argument(at, 4)), tonumber(argument(at, 5))
  if kind == 'c' then
    redis.call('ZREMRANGEBYSCORE', own, '-inf', text(now))
    local used = redis.call('ZCARD', own)
    if used + 1 > most then
      refuse(at, 1000, used, 1000, 0)
    end
    tell(used + 1, 0, 0)
  else
    local key, addresses = place_of(own, KEYS[3 * at - 1], KEYS[3 * at], kind, window, width)
    local together = key == own and 0 or 1
    local total, ticks, gone = 0, {}, {}
    local cells = redis.call('HGETALL', key)
    for cell = 1, #cells, 2 do
      local tick, sum = tonumber(cells[cell]), tonumber(cells[cell + 1])
      if left_of(kind, tick, window, width) > 0 then
        total = total + sum
        ticks[#ticks + 1] = { tick, sum }
      else
        gone[#gone + 1] = cells[cell]
      end
    end
    if #gone > 0 then
      redis.call('HDEL', key, unpack(gone))
    end
    local reset = 0
    table.sort(ticks, newest_first)
    if ticks[1] then
      reset = left_of(kind, ticks[1][1], window, width)
    end
    if total + amount > most then
      local wait, free = -1, most - amount
      if free >= 0 then
        for _, tick in ipairs(ticks) do
          free = free - tick[2]
          if free < 0 then
            wait = left_of(kind, tick[1], window, width)
            break
          end
        end
      end
      refuse(at, wait, total, reset, together)
    end
    if amount > 0 then
      reset = left_of(kind, tick_of(kind, width), window, width)
    end
    places[at] = { key = key, addresses = addresses, reset = reset }
    tell(total + amount, reset, together)
  end
end

if full then
  return full
end
for at = 1, counts do
  local kind, amount = argument(at, 1), tonumber(argument(at, 3))
  if kind == 'c' then
    redis.call('ZADD', KEYS[3 * at], text(now + lasts), lease)
    redis.call('PEXPIRE', KEYS[3 * at], text(2 * lasts))
  elseif amount > 0 then
    local place = places[at]
    redis.call('HINCRBY', place.key, text(tick_of(kind, tonumber(argument(at, 5)))), text(amount))
    remember(place.key, place.addresses, place.reset)
  end
end
return out
