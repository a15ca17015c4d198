/**
 * What is one step inside Redis for the store. Writes about a room come with the fencing token of its shard: a broker
 * that stood still while another took the shard over finds a higher one there, and its write is refused.
 */

/** Reply to a write whose token is not the shard's any more. */
export const FENCED = "FENCED";

/** Moves of one room that can be lost with a master: by far more than there are in the seconds that replicas lag. */
const EPOCHS_PER_BAND = 1024;

/** First key and arguments of every script below. KEYS: shards (hash). ARGV: shard, token, or "" for no check. */
const FENCE = `
if ARGV[2] ~= '' then
  local held = redis.call('HGET', KEYS[1], ARGV[1])
  if not held or string.match(held, '[^ ]*$') ~= ARGV[2] then
    return '${FENCED}'
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

/**
 * KEYS: epochs (hash: room -> "epoch history"), history (hash). ARGV: roomId, highest epoch that the asker knows of.
 * A replica that was promoted may lack the last epochs that were given out. It is a new history with an id of its own
 * (Redis' replication id); its epochs begin in a band that the id chooses, beyond what can have been lost.
 */
export const NEXT_EPOCH = `${FENCE}
local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local first = redis.call('HGET', KEYS[3], 'first')
local given = redis.call('HGET', KEYS[2], ARGV[3])
local epoch, from = 0, false
if given then
  epoch, from = string.match(given, '(%d+) (%x+)')
end
local next = math.max(tonumber(epoch), tonumber(ARGV[4])) + 1
if first and first ~= history and from ~= history then
  next = next + (1 + tonumber(string.sub(history, 1, 6), 16)) * ${EPOCHS_PER_BAND}
end
local text = string.format('%.0f', next)
redis.call('HSET', KEYS[2], ARGV[3], text .. ' ' .. history)
return text
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

/**
 * KEYS: the room's checkpoint (hash), rooms of its shard that are saved (set). ARGV: roomId, epoch, seq, takenAtMs, data, up
 * to which epoch later ones were called off. The room's epoch is its fence.
 */
export const PUT_CHECKPOINT = `
redis.call('SADD', KEYS[2], ARGV[1])
local epoch, seq = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'seq'))
if epoch then
  local newEpoch, newSeq = tonumber(ARGV[2]), tonumber(ARGV[3])
  if newEpoch < tonumber(epoch) and tonumber(epoch) > tonumber(ARGV[6]) then return 0 end
  if newEpoch == tonumber(epoch) and newSeq <= tonumber(seq) then return 0 end
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'seq', ARGV[3], 'takenAtMs', ARGV[4], 'data', ARGV[5])
return 1
`;

/** KEYS: as above. ARGV: roomId, epoch and seq of the one that is meant, or "" for any. */
export const REMOVE_CHECKPOINT = `
local epoch, seq = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'seq'))
if epoch and ARGV[2] ~= '' and (epoch ~= ARGV[2] or seq ~= ARGV[3]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[1])
return 1
`;

/** KEYS: of presence. ARGV: command, ms after which the first key ends or "", arguments behind the keys. */
export const PRESENCE = `
local call = {ARGV[1]}
for _, key in ipairs(KEYS) do call[#call + 1] = key end
for at = 3, #ARGV do call[#call + 1] = ARGV[at] end
local reply = redis.pcall(unpack(call))
if type(reply) == 'table' then
  if reply.err then return {'error', reply.err} end
  if reply.ok then reply = reply.ok end
end
if ARGV[2] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {'ok', reply}
`;
