CREATE TABLE IF NOT EXISTS users (
  username TEXT PRIMARY KEY,
  hash     TEXT NOT NULL
);

-- The password is `wonderland`. A hash is a PHC string of Argon2, scrypt or
-- PBKDF2, or one of bcrypt.
INSERT OR IGNORE INTO users VALUES
  ('alice', '$pbkdf2-sha256$i=10000,l=32$aG9va3dpcmUtZXhhbXBsZQ$Z90QZUYtN8sysTBrL6WZbrKVNVVAGpkmNkj73I0pn14');
