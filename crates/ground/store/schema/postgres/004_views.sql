-- Views for people and their tools (psql, Grafana): plain names, printed ids, times as times. The program uses none
-- of them; what they show is what the tables say at that moment. docs/views.md tells of each, and of a role that may read
-- them and nothing else.

-- A message's id as it stands in replies, logs and listings: 13 digits of Crockford's base 32.
CREATE FUNCTION printed_id(id BIGINT) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    (SELECT string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 1 + ((id >> place) & 31)::int, 1), '' ORDER BY place DESC)
     FROM generate_series(0, 60, 5) AS place);

-- Every recipient that is not at its end.
CREATE VIEW pending AS SELECT
    printed_id(message.id) AS message,
    recipient.address AS recipient,
    message.sender AS sender,
    message.subject AS subject,
    message.message_id AS message_id,
    message.size AS size,
    recipient.state AS state,
    recipient.next_hop AS next_hop,
    recipient.attempts AS attempts,
    to_timestamp(recipient.accepted_at / 1000.0) AS accepted_at,
    to_timestamp(recipient.retry_at / 1000.0) AS retry_at,
    to_timestamp(recipient.deadline_at / 1000.0) AS deadline_at,
    to_timestamp(recipient.expires_at / 1000.0) AS expires_at,
    coalesce(recipient.hold_reason, '') AS hold_reason,
    recipient.last_reply AS last_reply,
    coalesce(node.name, '') AS node
FROM recipient
JOIN message ON message.id = recipient.message
LEFT JOIN node ON node.epoch = recipient.claimed_by
WHERE recipient.finished_at IS NULL;

-- One row for each next hop that mail waits for; '' while it waits for the directory. 'oldest' is exact to the hour.
CREATE VIEW by_next_hop AS SELECT
    known.next_hop AS next_hop,
    coalesce(next_hop.state, 'up') AS state,
    known.categorizing AS categorizing,
    known.queued AS queued,
    known.in_flight AS in_flight,
    known.held AS held,
    to_timestamp((known.hour * 3600000) / 1000.0) AS oldest,
    to_timestamp(next_hop.retry_at / 1000.0) AS retry_at,
    coalesce(next_hop.failures, 0) AS failures,
    coalesce(next_hop.last_reply, '') AS last_reply,
    coalesce(next_hop.paused_by, '') AS paused_by,
    to_timestamp(next_hop.paused_until / 1000.0) AS paused_until,
    coalesce(next_hop.reason, '') AS pause_reason
FROM (
    SELECT next_hop,
        CAST(sum(CASE WHEN state = 'categorizing' THEN n ELSE 0 END) AS BIGINT) AS categorizing,
        CAST(sum(CASE WHEN state = 'queued' THEN n ELSE 0 END) AS BIGINT) AS queued,
        CAST(sum(CASE WHEN state = 'in_flight' THEN n ELSE 0 END) AS BIGINT) AS in_flight,
        CAST(sum(CASE WHEN state = 'held' THEN n ELSE 0 END) AS BIGINT) AS held,
        min(hour) AS hour
    FROM tally GROUP BY next_hop
) AS known
LEFT JOIN next_hop ON next_hop.key = known.next_hop;

-- Every recipient that has reached its end, until history is pruned.
CREATE VIEW history AS SELECT
    printed_id(message.id) AS message,
    recipient.address AS recipient,
    message.sender AS sender,
    message.subject AS subject,
    message.message_id AS message_id,
    message.size AS size,
    recipient.state AS state,
    recipient.next_hop AS next_hop,
    recipient.attempts AS attempts,
    to_timestamp(recipient.accepted_at / 1000.0) AS accepted_at,
    to_timestamp(recipient.finished_at / 1000.0) AS finished_at,
    recipient.cause AS cause,
    recipient.actor AS actor,
    recipient.last_reply AS last_reply
FROM recipient
JOIN message ON message.id = recipient.message
WHERE recipient.finished_at IS NOT NULL;

-- Every node.
CREATE VIEW nodes AS SELECT
    node.name AS name,
    node.state AS state,
    node.draining AS draining,
    to_timestamp(node.heartbeat_at / 1000.0) AS heartbeat_at,
    (SELECT count(*) FROM recipient WHERE recipient.state = 'in_flight' AND recipient.claimed_by = node.epoch) AS in_flight
FROM node
WHERE node.state <> 'command';
