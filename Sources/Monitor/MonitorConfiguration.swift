import Payouts
public import Worker

/// What Monitor reads besides what every worker reads.
///
/// ## Configuration keys
/// - those of `StoreConfiguration`, `TronConfiguration` and `NodeConfiguration`.
/// - `PAYOUT_RETRY_DELAY_SECONDS` (1 to 86400, default 60): how long a freed payout waits for its second attempt; doubles
///   with each further one, up to an hour.
/// - `MAX_PAYOUT_RETRY_ATTEMPTS` (1 to 100, default 5): after so many failures of its own a payout is `failed`.
/// - `PAYOUT_ROUTER_V0_ADDRESS`, `PAYOUT_ROUTER_KYC_ADDRESS` (addresses, optional): contracts that the fence watches too.
/// - `ALARM_WEBHOOK_URL` (http or https URL, secret, optional): is told each alarm.
/// - `AUDIT_SINK_URL` (http or https URL, secret, optional): is given each audit record.
/// - `WEBHOOK_ALLOWED_NETWORKS` (networks such as 10.1.0.0/16, comma-separated, default none): addresses that webhooks may
///   be sent to although they are not public.
public struct MonitorConfiguration: SettingsReadable, Sendable {
  let stores: StoreConfiguration
  let tron: TronConfiguration
  let nodes: NodeConfiguration
  let retryDelaySeconds: Int64
  let maximumOwnFailures: Int64
  let alarmURL: ServiceURL?
  let auditURL: ServiceURL?
  let webhookAllowedNetworks: [IPNetwork]
  let routers: Set<Address>

  /// Reads every key.
  public init(from settings: inout Settings) {
    stores = StoreConfiguration(from: &settings)
    tron = TronConfiguration(from: &settings)
    nodes = NodeConfiguration(from: &settings)
    retryDelaySeconds = settings.integer("PAYOUT_RETRY_DELAY_SECONDS", default: 60, in: 1...86_400)
    maximumOwnFailures = settings.integer("MAX_PAYOUT_RETRY_ATTEMPTS", default: 5, in: 1...100)
    alarmURL = settings.optionalURL("ALARM_WEBHOOK_URL", .endpoint)
    auditURL = settings.optionalURL("AUDIT_SINK_URL", .endpoint)
    routers = Set(
      ["PAYOUT_ROUTER_V0_ADDRESS", "PAYOUT_ROUTER_KYC_ADDRESS"].compactMap { settings.optionalAddress($0) })
    webhookAllowedNetworks = MonitorConfiguration.networks("WEBHOOK_ALLOWED_NETWORKS", from: &settings)
  }

  private static func networks(_ key: String, from settings: inout Settings) -> [IPNetwork] {
    var networks: [IPNetwork] = []
    for text in settings.list(key) {
      do { networks.append(try IPNetwork(text)) } catch { settings.note(key, "\(text): \(error.reason)") }
    }
    return networks
  }
}
