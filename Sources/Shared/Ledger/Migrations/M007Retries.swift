/// Whose failures attempts ended by, the breaker's trials, and how alarms are told (DESIGN.md §3 point 6, §4).
enum M007Retries {
  static let sql = #"""
    -- Why an attempt ended unpaid, in the words of FailureBlame; NULL until that is known. Until then its payout is not
    -- signed again: whether another attempt is due depends on it.
    ALTER TABLE attempts ADD COLUMN blame text
      CHECK (blame IN ('payout', 'expired', 'energy', 'producer_time', 'wallet_short', 'token_paused',
                       'wallet_blacklisted', 'passed', 'other'));
    ALTER TABLE attempts ADD CONSTRAINT only_failures_are_blamed
      CHECK (blame IS NULL OR outcome IS NOT NULL AND outcome <> 'paid' AND NOT (blame = 'payout' AND outcome = 'dead'));
    CREATE INDEX attempts_unblamed ON attempts (ended_at)
      WHERE outcome IN ('failed_on_chain', 'dead') AND blame IS NULL;
    CREATE INDEX attempts_failed_by_circumstance ON attempts (ended_at) WHERE blame <> 'payout';

    CREATE FUNCTION guard_blame() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF OLD.blame IS NOT NULL AND NEW.blame IS DISTINCT FROM OLD.blame THEN
        RAISE EXCEPTION 'reference %: whose failure an attempt was cannot be changed', encode(OLD.reference, 'hex')
          USING ERRCODE = 'TP002';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_blame BEFORE UPDATE OF blame ON attempts FOR EACH ROW EXECUTE FUNCTION guard_blame();

    -- 'open' with closes_by 'trial': one transaction may be signed from trial_at on. 'half_open': that one, trial_txid, is
    -- out. Columns of a trial mean nothing in the other states.
    ALTER TABLE breaker
      ADD COLUMN failures_in_row integer NOT NULL DEFAULT 0 CHECK (failures_in_row >= 0),
      ADD COLUMN failed_trials integer NOT NULL DEFAULT 0 CHECK (failed_trials >= 0),
      ADD COLUMN trial_at timestamptz,
      ADD COLUMN trial_txid bytea CHECK (octet_length(trial_txid) = 32),
      ADD CONSTRAINT half_open_has_its_trial
        CHECK (state <> 'half_open' OR closes_by = 'trial' AND trial_txid IS NOT NULL),
      ADD CONSTRAINT an_opening_that_a_trial_ends_has_its_time
        CHECK (state <> 'open' OR closes_by <> 'trial' OR trial_at IS NOT NULL);

    -- Why a payout is not signed before not_before.
    ALTER TABLE payouts ADD COLUMN not_before_reason text CHECK (not_before_reason IN ('retry', 'signer_limit'));

    -- What keeps a Signer from signing that it alone knows; true for a short while after seen_at.
    CREATE TABLE signer_standstills (
      signer text PRIMARY KEY,
      reason text NOT NULL CHECK (reason IN ('in_flight_limit', 'no_node_accepts')),
      since timestamptz NOT NULL DEFAULT ledger_now(),
      seen_at timestamptz NOT NULL DEFAULT ledger_now()
    );
    CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON signer_standstills
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

    -- An alarm is told (a log line, and a call where one is configured) from tell_at on, again and again until told_at.
    ALTER TABLE alarms
      ADD COLUMN told_at timestamptz,
      ADD COLUMN tell_at timestamptz NOT NULL DEFAULT ledger_now(),
      ADD COLUMN tell_count integer NOT NULL DEFAULT 0;
    CREATE INDEX alarms_to_tell ON alarms (tell_at) WHERE told_at IS NULL AND acknowledged_at IS NULL;
    """#
}
