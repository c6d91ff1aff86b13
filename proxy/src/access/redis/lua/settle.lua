-- KEYS, three for each count, as where it is reserved; a group's thrice where that counts. ARGV, four for each: what it is (w, d, m; c for requests at once), the
-- tick in which was reserved or the lease's name, how much more was used (less, where it is negative), and the window's and a tick's milliseconds with a colon between
-- them.
for at = 1, #KEYS / 3 do
  local function argument(number)
    return ARGV[(at - 1) * 4 + number]
  end
  local own, kind, tick = KEYS[3 * at - 2], argument(1), argument(2)
  if kind == 'c' then
    redis.call('ZREM', own, tick)
  else
    local more = tonumber(argument(3))
    if more < 0 then
      local had = redis.call('HGET', own, tick)
      if had then
        redis.call('HSET', own, tick, text(math.max(0, tonumber(had) + more)))
      end
    elseif more > 0 then
      local window, width = string.match(argument(4), '^(%d+):(%d+)$')
      window, width = tonumber(window), tonumber(width)
      local key, addresses = place_of(own, KEYS[3 * at - 1], KEYS[3 * at], kind, window, width)
      local present = tick_of(kind, width)
      redis.call('HINCRBY', key, text(present), text(more))
      remember(key, addresses, left_of(kind, present, window, width))
    end
  end
end
return 1
