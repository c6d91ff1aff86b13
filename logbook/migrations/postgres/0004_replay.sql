-- The content type of a reply whose route replays and whose body is on record to the byte as the client got it. What has none is replayed to nobody.
ALTER TABLE requests ADD COLUMN replay_as text;
