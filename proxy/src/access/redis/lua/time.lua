-- The present, by the clock of Redis: every proxy counts by the same.
local clock = redis.call('TIME')
local seconds = tonumber(clock[1])
local now = seconds * 1000 + math.floor(tonumber(clock[2]) / 1000)
local DAY = 86400000

-- A number as Redis takes it: Lua itself would write large ones with an exponent.
local function text(number)
  return string.format('%.0f', number)
end

-- A key lasts so long at least.
local function keep(key, milliseconds)
  if redis.call('PTTL', key) < milliseconds then
    redis.call('PEXPIRE', key, text(milliseconds))
  end
end

-- The month, counted from the year 0, and how many milliseconds are left of it. Source: https://howardhinnant.github.io/date_algorithms.html#civil_from_days
local function month()
  local days = math.floor(seconds / 86400) + 719468
  local era = math.floor(days / 146097)
  local of_era = days - era * 146097
  local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524) - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local shifted = math.floor((5 * of_year + 2) / 153)
  local day = of_year - math.floor((153 * shifted + 2) / 5) + 1
  local number = shifted < 10 and shifted + 3 or shifted - 9
  year = year + era * 400
  if number <= 2 then
    year = year + 1
  end
  local leap = (year % 4 == 0 and year % 100 ~= 0) or year % 400 == 0
  local lengths = { 31, leap and 29 or 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
  local left = (lengths[number] - day + 1) * DAY - now % DAY
  return year * 12 + number - 1, left
end

-- The tick of now, of a window (w), of days (d) or months (m).
local function tick_of(kind, width)
  if kind == 'w' then
    return math.floor(now / width)
  elseif kind == 'd' then
    return math.floor(now / DAY)
  end
  return (month())
end

-- For how many milliseconds a tick still counts.
local function left_of(kind, tick, window, width)
  if kind == 'w' then
    return math.max(0, (tick + 1) * width + window - now)
  elseif tick < tick_of(kind, width) then
    return 0
  elseif kind == 'd' then
    return DAY - now % DAY
  end
  local _, left = month()
  return left
end
