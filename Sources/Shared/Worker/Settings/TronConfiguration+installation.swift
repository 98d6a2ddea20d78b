public import Payouts

extension TronConfiguration {
  /// What stands in the database, so that no worker of another installation can write in it.
  public func installation(stage: DeploymentStage) -> Installation {
    Installation(
      environment: stage.rawValue, network: network, genesis: genesisBlockID,
      maximumExpirationMilliseconds: maxExpirationSeconds * 1_000,
      clockBoundMilliseconds: clockBoundSeconds * 1_000)
  }
}
