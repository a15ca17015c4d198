/**
 * What is one step inside Redis for the store. Writes about a room come with the fencing token of its shard: a broker
 * that stood still while another took the shard over finds a higher one there, and its write is refused.
 */

/** Error reply of a write whose token is not the shard's any more. */
export const FENCED = "FENCED";

/** First key and arguments of every script below. KEYS: shards (hash). ARGV: shard, token, or "" for no check. */
const FENCE = `
if ARGV[2] ~= '' then
  local held = redis.call('HGET', KEYS[1], ARGV[1])
  if not held or string.match(held, '[^ ]*$') ~= ARGV[2] then
    return redis.error_reply('${FENCED} shard ' .. ARGV[1] .. ' is with another broker')
  end
end
`;

/** KEYS: rooms. ARGV: roomId, epoch, record. Answers the newer record there is, if there is one. */
export const PUT_ROOM = `${FENCE}
local known = redis.call('HGET', KEYS[2], ARGV[3])
if known and cjson.decode(known).epoch > tonumber(ARGV[4]) then return known end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[5])
return false
`;

/** KEYS: open moves (hash), journal (stream). ARGV: migrationId, entry, entries kept. */
export const JOURNAL = `${FENCE}
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'entry', ARGV[4])
return 1
`;

/** KEYS: open moves, receipts (hash), receipts by time (sorted set). ARGV: migrationId, receipt, time. */
export const CLOSE_MIGRATION = `${FENCE}
redis.call('HDEL', KEYS[2], ARGV[3])
redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
redis.call('ZADD', KEYS[4], ARGV[5], ARGV[3])
return 1
`;

/** KEYS: the room's checkpoint (hash). ARGV: epoch, seq, takenAtMs, data. The room's epoch is its fence. */
export const PUT_CHECKPOINT = `
local epoch, seq = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'seq'))
if epoch then
  local newEpoch, newSeq = tonumber(ARGV[1]), tonumber(ARGV[2])
  if newEpoch < tonumber(epoch) then return 0 end
  if newEpoch == tonumber(epoch) and newSeq <= tonumber(seq) then return 0 end
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'seq', ARGV[2], 'takenAtMs', ARGV[3], 'data', ARGV[4])
return 1
`;
