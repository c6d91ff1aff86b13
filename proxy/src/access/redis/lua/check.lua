-- KEYS[1]: anything. Fails where nothing can be written.
redis.call('HSET', KEYS[1], 'at', text(now))
redis.call('PEXPIRE', KEYS[1], '1000')
return 1
