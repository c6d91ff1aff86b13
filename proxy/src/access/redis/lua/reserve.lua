-- KEYS: one for each count. ARGV: the lease's name and its milliseconds, then five for each key: what it is (w, d, m; c for requests at once), the
-- most, the amount, the window's milliseconds, a tick's. Gives {1, now, used, reset, used, reset…}, or of what takes longest to fit
-- {0, now, which, wait or -1, used, reset}.
local lease, lasts = ARGV[1], tonumber(ARGV[2])

local function argument(key, at)
  return ARGV[2 + (key - 1) * 5 + at]
end

local function newest_first(one, other)
  return one[1] > other[1]
end

local out, full, longest = { 1, now }, nil, -1
-- What does not fit now. What never does takes longest.
local function refuse(at, wait, used, reset)
  local length = wait < 0 and math.huge or wait
  if length > longest then
    full, longest = { 0, now, at, wait, used, reset }, length
  end
end
for at, key in ipairs(KEYS) do
  local kind, most, amount = argument(at, 1), tonumber(argument(at, 2)), tonumber(argument(at, 3))
  local window, width = tonumber(argument(at, 4)), tonumber(argument(at, 5))
  if kind == 'c' then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', text(now))
    local used = redis.call('ZCARD', key)
    if used + 1 > most then
      refuse(at, 1000, used, 1000)
    end
    out[#out + 1], out[#out + 2] = used + 1, 0
  else
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
      refuse(at, wait, total, reset)
    end
    if amount > 0 then
      reset = left_of(kind, tick_of(kind, width), window, width)
    end
    out[#out + 1], out[#out + 2] = total + amount, reset
  end
end

if full then
  return full
end
for at, key in ipairs(KEYS) do
  local kind, amount = argument(at, 1), tonumber(argument(at, 3))
  local window, width = tonumber(argument(at, 4)), tonumber(argument(at, 5))
  if kind == 'c' then
    redis.call('ZADD', key, text(now + lasts), lease)
    redis.call('PEXPIRE', key, text(2 * lasts))
  elseif amount > 0 then
    local tick = tick_of(kind, width)
    redis.call('HINCRBY', key, text(tick), text(amount))
    redis.call('PEXPIRE', key, text(left_of(kind, tick, window, width) + 1000))
  end
end
return out
