/** What happens atomically inside Redis for a cluster of brokers. Times are Redis' own, in ms. */

/**
 * KEYS: brokers (sorted set by lease end), broker-urls (hash), shards (hash: shard -> "holder token").
 * ARGV: brokerId, url, leaseMs, number of shards, wanted shards ("1,5,9").
 * Renews this broker's lease, forgets brokers whose lease is over, gives back shards that are not wanted, takes
 * wanted ones that nobody living holds. A new holder's token is the last one plus one.
 */
export const REFRESH_SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me = ARGV[1]
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  if gone ~= me then redis.call('HDEL', KEYS[2], gone) end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + ARGV[3], me)
redis.call('HSET', KEYS[2], me, ARGV[2])
local wanted = {}
for shard in string.gmatch(ARGV[5], '%d+') do wanted[tonumber(shard)] = true end
local shards = {}
for shard = 0, ARGV[4] - 1 do
  local held = redis.call('HGET', KEYS[3], shard)
  local holder, token = '', 0
  if held then
    local space = string.find(held, ' [^ ]*$')
    holder = string.sub(held, 1, space - 1)
    token = tonumber(string.sub(held, space + 1))
  end
  local free = holder == '' or not redis.call('ZSCORE', KEYS[1], holder)
  if holder == me and not wanted[shard] then
    holder = ''
    redis.call('HSET', KEYS[3], shard, ' ' .. token)
  elseif free and wanted[shard] then
    holder = me
    token = token + 1
    redis.call('HSET', KEYS[3], shard, me .. ' ' .. token)
  elseif free then
    holder = ''
  end
  shards[#shards + 1] = { holder, tostring(token) }
end
local members = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  members[#members + 1] = cjson.encode({ brokerId = id, url = redis.call('HGET', KEYS[2], id) or '' })
end
return { members, shards }
`;

/** KEYS as above. ARGV: brokerId, number of shards. Gives back the lease and every shard. */
export const LEAVE_SCRIPT = `
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
for shard = 0, ARGV[2] - 1 do
  local held = redis.call('HGET', KEYS[3], shard)
  if held then
    local space = string.find(held, ' [^ ]*$')
    if string.sub(held, 1, space - 1) == ARGV[1] then
      redis.call('HSET', KEYS[3], shard, string.sub(held, space))
    end
  end
end
return 0
`;
