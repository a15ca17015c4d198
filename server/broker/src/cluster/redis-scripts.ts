/** What happens atomically inside Redis for a cluster of brokers. Times are Redis' own, in ms. */

/**
 * KEYS: brokers (sorted set by lease end), broker-urls (hash), shards (hash: shard -> "holder token"), history (hash).
 * ARGV: brokerId, url, leaseMs, number of shards, wanted shards ("1,5,9"), token of what is granted now, tokens that
 * the asker has had last ("1=token,5=token"), "1" if its lease is not over by its own clock, the longest lease, ms.
 * Renews this broker's lease, forgets brokers whose lease is over, gives back shards that are not wanted, takes
 * wanted ones that nobody living holds.
 *
 * A replica that was promoted, or a Redis that came back with less than it had, may not know who was given what
 * last. It has a new replication id. Until the longest lease is over it then gives nobody anything new: who holds a shard
 * by a lease that is not over says so and is believed, and who held it when the record ends has it back.
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
local held = {}
for shard, token in string.gmatch(ARGV[7], '(%d+)=([^,]+)') do held[tonumber(shard)] = token end
local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local known, since = unpack(redis.call('HMGET', KEYS[4], 'id', 'sinceMs'))
if not known then
  -- Where somebody holds something already, this is not the beginning: all was lost.
  local lost = next(held) ~= nil
  since = lost and now or 0
  redis.call('HSET', KEYS[4], 'first', lost and 'lost' or history, 'id', history, 'sinceMs', since)
elseif known ~= history then
  redis.call('HSET', KEYS[4], 'id', history, 'sinceMs', now)
  since = now
end
local unsure = now < since + ARGV[9]
local shards = {}
for shard = 0, ARGV[4] - 1 do
  local holder, token = string.match(redis.call('HGET', KEYS[3], shard) or ' ', '^(.*) ([^ ]*)$')
  local free = holder == '' or not redis.call('ZSCORE', KEYS[1], holder)
  if unsure and held[shard] and wanted[shard] and ARGV[8] == '1' then
    holder, token = me, held[shard]
    redis.call('HSET', KEYS[3], shard, me .. ' ' .. token)
  elseif holder == me and not (wanted[shard] and (held[shard] == token or not unsure)) then
    holder = ''
    redis.call('HSET', KEYS[3], shard, ' ' .. token)
  elseif free and wanted[shard] and not unsure then
    holder, token = me, ARGV[6]
    redis.call('HSET', KEYS[3], shard, me .. ' ' .. token)
  elseif free then
    holder = ''
  end
  shards[#shards + 1] = { holder, token }
end
local members = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  members[#members + 1] = cjson.encode({ brokerId = id, url = redis.call('HGET', KEYS[2], id) or '' })
end
return { members, shards }
`;

/** KEYS: as above. Who has a lease, each as JSON. */
export const MEMBERS_SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local members = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do
  members[#members + 1] = cjson.encode({ brokerId = id, url = redis.call('HGET', KEYS[2], id) or '' })
end
return members
`;

/** KEYS: the first three of above. ARGV: brokerId, number of shards. Gives back the lease and every shard. */
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
