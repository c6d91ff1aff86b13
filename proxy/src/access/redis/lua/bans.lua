-- ARGV: the number of the last change that is known, and how many changes are given at most. Gives name, number and the milliseconds that are left for each,
-- oldest first; none are left of a ban that was lifted.
forget_bans()
local out = {}
local news = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[2]))
for at = 1, #news, 2 do
  local ends = redis.call('ZSCORE', KEYS[1], news[at])
  out[#out + 1] = news[at]
  out[#out + 1] = text(tonumber(news[at + 1]))
  out[#out + 1] = text(ends and math.max(0, tonumber(ends) - now) or 0)
end
return out
