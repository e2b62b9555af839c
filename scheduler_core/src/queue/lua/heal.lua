-- Removes ready sets that are none, and with them the lane's generation, so that its populator notices.
-- KEYS[1]  the lane's generation
-- KEYS[2…] its ready sets
-- Returns  the number of ready sets removed
local removed = 0
for place = 2, #KEYS do
  local kind = redis.call('TYPE', KEYS[place]).ok
  if kind ~= 'zset' and kind ~= 'none' then
    removed = removed + redis.call('UNLINK', KEYS[place])
  end
end
if removed > 0 then
  redis.call('UNLINK', KEYS[1])
end
return removed
