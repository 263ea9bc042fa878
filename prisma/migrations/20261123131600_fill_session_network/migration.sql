-- By itself: with the column it would lock out every request until all rows are filled.
CREATE FUNCTION identity.network_of(address text) RETURNS text
  LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
  ip inet;
  bytes bytea;
BEGIN
  ip := split_part(regexp_replace(address, '^::ffff:(\d+\.\d+\.\d+\.\d+)$', '\1', 'i'), '%', 1);
  IF family(ip) = 4 THEN RETURN host(ip); END IF;
  bytes := substring(inet_send(ip) FROM 5);
  RETURN (SELECT string_agg(to_hex(get_byte(bytes, 2 * place) * 256 + get_byte(bytes, 2 * place + 1)), ':' ORDER BY place)
          FROM generate_series(0, 3) AS place) || '::/64';
EXCEPTION WHEN invalid_text_representation THEN
  RETURN address;
END
$$;
UPDATE "identity"."sessions" SET "network" = identity.network_of("address");
DROP FUNCTION identity.network_of(text);
