-- Puts jobs into a ready set.
-- KEYS[1]  the ready set of one lane and priority
-- KEYS[2]  the lane's generation
-- ARGV[1]  the generation that the caller knows
-- ARGV[2…] score, member, score, member, …
-- Returns  { 1 when the generation was another or missing (Redis lost its memory, or another populator was here), else 0;
--            members in the set after the push; the least score in it, as text }
-- Replaying it is harmless: a member that is already there keeps one place.
local lost = redis.call('GET', KEYS[2]) ~= ARGV[1]
-- unpack() is bounded by Lua's stack, hence the slices.
for first = 2, #ARGV, 1000 do
  redis.call('ZADD', KEYS[1], 'NX', unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
-- After the members: a push that Redis refuses for want of memory must not hide that it had lost them.
if lost then
  redis.call('SET', KEYS[2], ARGV[1])
end
local head = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return { lost and 1 or 0, redis.call('ZCARD', KEYS[1]), head[2] or '' }
