-- One role and one schema a service, both named as the service; a role owns its schema and nothing else.
-- For psql, as superuser, in the suite's database; it may be run again. The passwords come from the environment.
\getenv flagging FLAGGING_PASSWORD
\getenv custody CUSTODY_PASSWORD
\getenv tracking TRACKING_PASSWORD
\getenv returns RETURNS_PASSWORD

SET client_min_messages = warning;
CREATE TEMPORARY TABLE service (name text, password text);
INSERT INTO service VALUES
    ('flagging', :'flagging'),
    ('custody', :'custody'),
    ('tracking', :'tracking'),
    ('returns', :'returns');

-- Roles belong to the whole server: two databases that are set up at once must not both create one.
SELECT pg_advisory_lock(2004, 12) \g /dev/null
SELECT format('CREATE ROLE %I LOGIN', name) FROM service
    WHERE name NOT IN (SELECT rolname FROM pg_roles) \gexec
SELECT format('ALTER ROLE %I PASSWORD %L', name, password) FROM service \gexec
SELECT format('ALTER ROLE %I SET search_path = %I', name, name) FROM service \gexec
SELECT pg_advisory_unlock(2004, 12) \g /dev/null

SELECT format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', name, name) FROM service \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name) FROM service \gexec
REVOKE ALL ON SCHEMA public FROM PUBLIC;
