-- KEYS: one for each count. ARGV, four for each: what it is (w, d, m; c for requests at once), the tick in which was reserved or the lease's name,
-- how much more was used (less, where it is negative), and the window's and a tick's milliseconds with a colon between them.
for at, key in ipairs(KEYS) do
  local function argument(number)
    return ARGV[(at - 1) * 4 + number]
  end
  local kind, tick = argument(1), argument(2)
  if kind == 'c' then
    redis.call('ZREM', key, tick)
  else
    local more = tonumber(argument(3))
    local window, width = string.match(argument(4), '^(%d+):(%d+)$')
    if more < 0 then
      local had = redis.call('HGET', key, tick)
      if had then
        redis.call('HSET', key, tick, text(math.max(0, tonumber(had) + more)))
      end
    elseif more > 0 then
      local present = tick_of(kind, tonumber(width))
      redis.call('HINCRBY', key, text(present), text(more))
      local left = left_of(kind, present, tonumber(window), tonumber(width))
      redis.call('PEXPIRE', key, text(left + 1000))
    end
  end
end
return 1
