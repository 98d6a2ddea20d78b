/// What a caller of the HTTP interface is (api.md, "Who may call").
///
/// It stands in the ledger, since API keys are kept there with their role: the raw values are the words of tokens, of
/// headers and of table `api_keys`.
public enum CallerRole: String, CaseIterable, Sendable {
  /// Everything of everyone.
  case admin
  /// Creates for its own nodes, reads its own.
  case nodeOperator = "node_operator"
  /// Reads its own.
  case endUser = "end_user"
  /// Creates and reads its own.
  case service

  /// All that it may do. The database has the same table (`role_permissions` in `M016APIKeys`); a test holds both
  /// against each other.
  public var permissions: Set<CallerPermission> {
    switch self {
    case .admin: Set(CallerPermission.allCases)
    case .nodeOperator, .service: [.create, .read, .list]
    case .endUser: [.read, .list]
    }
  }
}

/// What a call needs.
public enum CallerPermission: String, CaseIterable, Sendable {
  /// To create payouts, and to withdraw them.
  case create = "payment:create"
  /// To read payouts.
  case read = "payment:read"
  /// To list payouts.
  case list = "payment:list"
  /// To see totals of all payouts.
  case stats = "payment:stats"
  /// To steer payments, and to decide what a person must.
  case admin = "payment:admin"
}
