/// Where a payout stands (DESIGN.md §2). Finals never leave.
///
/// ```
/// kyc_pending, compliance_pending ─▶ queued ─▶ scheduled ─▶ signed ─▶ broadcast ─▶ confirming ─▶ CONFIRMED
///                                       │           ▲  └───────┴─────────┴────────────┘ freed (§3 point 5)
///                                       └─▶ held ◀──┴─ any state that is not final
/// ended without money moved: FAILED, REJECTED, EXPIRED, CANCELLED, SETTLED_EXTERNALLY
/// ```
public enum PayoutStatus: String, CaseIterable, Sendable {
  /// Waits for its node's identity check.
  case kycPending = "kyc_pending"
  /// Waits for a compliance signature.
  case compliancePending = "compliance_pending"
  /// Accepted, in no batch yet.
  case queued
  /// In a settlement batch, not signed, or freed for another attempt.
  case scheduled
  /// Has a signed transaction that no node has taken yet.
  case signed
  /// A node has taken its transaction.
  case broadcast
  /// Its transaction is in a block, k of 19.
  case confirming
  /// Waits for a person's decision; always with a reason and the state it was held from.
  case held
  /// Paid: solid, SUCCESS, exactly its Transfer log, with all its confirmations. Final.
  case confirmed
  /// Its own attempts are used up, proven unpaid. Final.
  case failed
  /// Refused by policy, identity check, compliance or operator. Final.
  case rejected
  /// Its own `expires_at` passed before signing. Final.
  case expired
  /// Withdrawn by its owner before signing. Final.
  case cancelled
  /// Paid another way by an operator, who gave the proof. Final.
  case settledExternally = "settled_externally"

  /// Whether the payout never leaves this state.
  public var isFinal: Bool {
    switch self {
    case .confirmed, .failed, .rejected, .expired, .cancelled, .settledExternally: true
    case .kycPending, .compliancePending, .queued, .scheduled, .signed, .broadcast, .confirming, .held: false
    }
  }

  /// Whether it ended without money moved, so that its limits are released.
  public var isUnpaidFinal: Bool { isFinal && self != .confirmed }

  /// The states to which a payout may go from this one: the table of DESIGN.md §2, which the database holds as well.
  public var successors: Set<PayoutStatus> {
    switch self {
    case .kycPending, .compliancePending: [.queued, .held, .rejected, .expired, .cancelled, .signed]
    case .queued: [.scheduled, .kycPending, .held, .rejected, .expired, .cancelled, .signed]
    case .scheduled: [.signed, .kycPending, .held, .rejected, .expired, .cancelled, .failed]
    case .signed: [.broadcast, .confirming, .scheduled, .held]
    case .broadcast: [.confirming, .scheduled, .held]
    case .confirming: [.confirmed, .broadcast, .scheduled, .held]
    case .held:
      [
        .kycPending, .compliancePending, .queued, .scheduled, .signed, .broadcast, .confirming,
        .rejected, .settledExternally, .confirmed,
      ]
    case .confirmed, .failed, .rejected, .expired, .cancelled, .settledExternally: []
    }
  }
}

/// Why a payout is `held`.
public enum HoldReason: String, CaseIterable, Sendable {
  /// Its seal does not fit its row: somebody wrote in the database.
  case brokenSeal = "broken_seal"
  /// Its transaction ended in a way that proves neither payment nor failure (DESIGN.md §3 point 5).
  case anomalousTransaction = "anomalous_transaction"
  /// Its reference already has a live or paid attempt: it may be paid already.
  case referenceInUse = "reference_in_use"
  /// A transfer of the wallet that nobody claims has the same recipient and amount.
  case unclaimedTransfer = "unclaimed_transfer"
  /// It exceeds what Signer may ever sign by itself.
  case signerLimit = "signer_limit"
  /// Its stream entry failed again and again.
  case deadLetter = "dead_letter"
  /// An operator holds it.
  case operatorDecision = "operator_decision"
  /// It is for another network, token or wallet than this Signer's.
  case foreignTerms = "foreign_terms"
  /// Its recipient may not be paid (the token's contract, the hot wallet, a router).
  case forbiddenRecipient = "forbidden_recipient"
  /// The log of intents says that it ended unpaid, in a part of the history that a restore took.
  case endWasLost = "end_was_lost"
  /// The log of intents tells of another request accepted under its reference, which a restore took.
  case conflictingAcceptance = "conflicting_acceptance"
  /// The database went back in time and the log that would tell how the payout went on is gone.
  case historyUnproven = "history_unproven"

  /// Whether letting it go asks for a person who knows that it is held for this: nothing else keeps it from being paid once
  /// more than it should be. What Signer holds by its own rules it holds again by itself, and a lost end has a word of its own.
  public var mustBeNamed: Bool {
    switch self {
    case .historyUnproven, .conflictingAcceptance, .operatorDecision: true
    case .brokenSeal, .anomalousTransaction, .referenceInUse, .unclaimedTransfer, .signerLimit, .deadLetter,
      .foreignTerms, .forbiddenRecipient, .endWasLost:
      false
    }
  }
}

/// Where a signed transaction stands (DESIGN.md §2).
public enum TransactionStatus: String, CaseIterable, Sendable {
  /// Signed and stored; no node is known to have taken it.
  case signed
  /// Some node answered SUCCESS, DUP or "P2P broadcast failed.".
  case sent
  /// In a block that may still be undone.
  case included
  /// In a solid block, SUCCESS, exactly the expected logs. Final.
  case solid
  /// In a solid block with a named failure. Final.
  case failedOnChain = "failed_on_chain"
  /// Proven never to be in any block. Final.
  case dead
  /// In a solid block with a result that proves nothing; read again, never signed again.
  case anomalous
}

/// How an attempt ended; absent while it is live (anomalous included).
public enum AttemptOutcome: String, CaseIterable, Sendable {
  /// Its transaction paid.
  case paid
  /// Its transaction failed on the solid chain: nothing moved.
  case failedOnChain = "failed_on_chain"
  /// Its transaction can never be in a block: nothing moved.
  case dead
}
