-- Puts jobs into a ready set.
-- KEYS[1]  the ready set of one lane and priority
-- KEYS[2]  the lane's generation
-- ARGV[1]  the generation that the caller knows
-- ARGV[2]  '1': write the generation in any case, so that a Redis that refuses writes is noticed without any jobs
-- ARGV[3…] score, member, score, member, …
-- Returns  { 1 when the generation was another or missing (Redis lost its memory, or another populator was here), or a key
--            was damaged, else 0;
--            members in the set after the push; the least score in it, as text }
-- Replaying it is harmless: a member that is already there keeps one place.

-- Both names are ours, so a key of another type is damage, and only in the way. The generation goes with it: a push that is
-- refused further down must not hide the loss.
local damaged = false
local function ask(command, key)
  local answer = redis.pcall(command, key)
  if type(answer) ~= 'table' or not answer.err then
    return answer
  end
  if string.find(answer.err, 'WRONGTYPE', 1, true) then
    redis.call('UNLINK', key, KEYS[2])
    damaged = true
  end
  return redis.call(command, key)
end

local lost = ask('GET', KEYS[2]) ~= ARGV[1]
ask('ZCARD', KEYS[1])
lost = lost or damaged
-- unpack() is bounded by Lua's stack, hence the slices.
for first = 3, #ARGV, 1000 do
  redis.call('ZADD', KEYS[1], 'NX', unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
-- After the members: a push that Redis refuses for want of memory must not hide that it had lost them.
if lost or ARGV[2] == '1' then
  redis.call('SET', KEYS[2], ARGV[1])
end
local head = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return { lost and 1 or 0, redis.call('ZCARD', KEYS[1]), head[2] or '' }
