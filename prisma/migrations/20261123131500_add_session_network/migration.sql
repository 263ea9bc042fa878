-- Where a session began, as sign-ins are counted (auth/network.ts), so that "has this account signed in from here?" is one look
-- into an index, however many sessions there are. NULL: begun by an older version while this one was rolled out.
ALTER TABLE "identity"."sessions" ADD COLUMN "network" TEXT;
