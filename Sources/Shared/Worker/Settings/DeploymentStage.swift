/// How much is at stake where a program runs: `LUCID_ENV`.
public enum DeploymentStage: String, CaseIterable, Sendable {
  /// A developer's machine or a test: play money, conveniences allowed.
  case dev
  /// As production, with a test network's play money.
  case staging
  /// Real money.
  case production
}

extension Settings {
  /// Why nothing starts with `LUCID_ENV=production` yet.
  static let productionIsClosed = """
    production is closed for now, so that nobody pays real money with a system whose safety is not yet shown: it \
    opens once the proofs of safety (fault simulator, quarantine, quorum of nodes) and the whole API are finished; \
    expected dev or staging
    """

  /// `LUCID_ENV`: dev where it is not set. `production` is a problem for now, named once however often it is read.
  ///
  /// Defaulting to dev is harmless, since mainnet cannot be reached from there (`TronConfiguration`).
  public mutating func deploymentStage() -> DeploymentStage {
    let stage: DeploymentStage = choice("LUCID_ENV", default: .dev)
    if stage == .production { note("LUCID_ENV", Settings.productionIsClosed) }
    return stage
  }
}
