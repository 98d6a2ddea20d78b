/// What a vote can change, by the name getchainparameters prints (tron-protocol.md §4.4, §5.1).
enum ChainParameterKey: String, CaseIterable, Sendable {
  case maintenanceInterval = "getMaintenanceTimeInterval"
  case createAccountFee = "getCreateAccountFee"
  case bandwidthPrice = "getTransactionFee"
  case activationFee = "getCreateNewAccountFeeInSystemContract"
  case energyPrice = "getEnergyFee"
  case cpuTimeMax = "getMaxCpuTimeOfOneTx"
  case permissionUpdateFee = "getUpdateAccountPermissionFee"
  case multiSignFee = "getMultiSignFee"
  case freeBandwidth = "getFreeNetLimit"
  case totalBandwidthLimit = "getTotalNetLimit"
  case totalEnergyLimit = "getTotalEnergyCurrentLimit"
  case memoFee = "getMemoFee"
  case feeLimitMax = "getMaxFeeLimit"
  case unfreezeDelayDays = "getUnfreezeDelayDays"
  case dynamicEnergyThreshold = "getDynamicEnergyThreshold"
  case dynamicEnergyIncrease = "getDynamicEnergyIncreaseFactor"
  case dynamicEnergyMax = "getDynamicEnergyMaxFactor"
  case delegationLockMax = "getMaxDelegateLockPeriod"
  case createAccountSizeMax = "getMaxCreateAccountTxSize"
  case consensusLogicOptimization = "getConsensusLogicOptimization"

  /// Where the value stands.
  var field: WritableKeyPath<ChainParameters, Int64> {
    switch self {
    case .maintenanceInterval: \.maintenanceInterval
    case .createAccountFee: \.createAccountFee
    case .bandwidthPrice: \.bandwidthPrice
    case .activationFee: \.activationFee
    case .energyPrice: \.energyPrice
    case .cpuTimeMax: \.cpuTimeMax
    case .permissionUpdateFee: \.permissionUpdateFee
    case .multiSignFee: \.multiSignFee
    case .freeBandwidth: \.freeBandwidth
    case .totalBandwidthLimit: \.totalBandwidthLimit
    case .totalEnergyLimit: \.totalEnergyLimit
    case .memoFee: \.memoFee
    case .feeLimitMax: \.feeLimitMax
    case .unfreezeDelayDays: \.unfreezeDelayDays
    case .dynamicEnergyThreshold: \.dynamicEnergyThreshold
    case .dynamicEnergyIncrease: \.dynamicEnergyIncrease
    case .dynamicEnergyMax: \.dynamicEnergyMax
    case .delegationLockMax: \.delegationLockMax
    case .createAccountSizeMax: \.createAccountSizeMax
    case .consensusLogicOptimization: \.consensusLogicOptimization
    }
  }

  /// The values that the arithmetic of this network can bear; a proposal outside of them is refused.
  var range: ClosedRange<Int64> {
    switch self {
    case .maintenanceInterval: 60_000...86_400_000
    case .energyPrice: 1...1_000_000_000
    case .dynamicEnergyIncrease: 0...10_000
    case .dynamicEnergyMax: 0...100_000
    case .unfreezeDelayDays: 1...365
    case .consensusLogicOptimization: 0...1
    case .cpuTimeMax, .createAccountFee, .bandwidthPrice, .activationFee, .permissionUpdateFee, .multiSignFee,
      .freeBandwidth, .totalBandwidthLimit, .totalEnergyLimit, .memoFee, .feeLimitMax, .dynamicEnergyThreshold,
      .delegationLockMax, .createAccountSizeMax:
      0...1_000_000_000_000
    }
  }
}
