import Payouts

/// What a single payout may pay (api.md "Request"). The windows' limits are the ledger's affair.
struct PayoutLimits: Sendable {
  /// The least: 0.01 USDT.
  static let amountMin = constant(10_000)
  /// The most by the API: 10,000 USDT.
  static let amountMax = constant(10_000_000_000)

  /// `V0_MAX_PAYOUT_USDT`, the v0 router's own maximum, at most `amountMax`.
  let v0Max: Amount
  /// `KYC_MAX_PAYOUT_USDT`, likewise the kyc router's.
  let kycMax: Amount

  /// The amount, if it lies within the bounds of the API, both ends included.
  static func check(_ amount: Amount) throws(MalformedValue) -> Amount {
    guard amount >= amountMin else { throw MalformedValue("amount", "must be at least \(amountMin) USDT") }
    guard amount <= amountMax else { throw MalformedValue("amount", "must be at most \(amountMax) USDT") }
    return amount
  }

  /// What stands against an amount by its router's own maximum, as it is set now.
  func objection(to amount: Amount, router: RouterType) -> String? {
    let maximum =
      switch router {
      case .v0: v0Max
      case .kyc: kycMax
      }
    return amount > maximum ? "must be at most \(maximum) USDT with router \(router.rawValue)" : nil
  }

  private static func constant(_ microUSDT: Int64) -> Amount {
    guard let amount = try? Amount(microUSDT: microUSDT) else { preconditionFailure("a constant is negative") }
    return amount
  }
}
