/// How thoroughly the identity behind a node is known (api.md "Enumerations").
public enum ComplianceLevel: String, Sendable, Hashable, CaseIterable {
  /// The least.
  case basic
  /// With more proofs.
  case enhanced
  /// Of a company.
  case institutional
  /// Of a state.
  case government
}
