import FoundationEssentials
import Monitor
import Payouts
import Synchronization

/// The client's server that takes webhooks, with what can go wrong on the way there.
struct SimulatedReceiver: HTTPOut {
  let oracle: Oracle
  let gate: FaultGate
  let process: SimulatedProcess

  private static let errors = FaultGate.Errors(
    notDone: { HTTPOutError(.unreachable, "\($0): the simulator lets it fail") },
    unknown: { HTTPOutError(.timeout, "\($0): the simulator loses the answer") })

  func post(_ request: OutgoingRequest) async throws(HTTPOutError) -> Int {
    do {
      let oracle = oracle
      let passage = Passage {
        guard let told = ToldWebhook(request) else {
          oracle.violated("a webhook cannot be read: \(request.headers)")
          return 400
        }
        oracle.received(told)
        return 200
      }
      return try await gate.pass("webhook", .webhook, of: process, Self.errors, passage)
    } catch let error as HTTPOutError {
      throw error
    } catch {
      throw HTTPOutError(.cancelled, "\(error)")
    }
  }
}

/// A webhook as its receiver reads it.
struct ToldWebhook: Sendable, Hashable {
  let id: String
  let seconds: Int64
  let signature: String
  let body: [UInt8]
  let event: String
  let payout: String
  let txid: String?

  private struct Body: Decodable {
    struct Data: Decodable {
      let payout_id: String
      let txid: String?
    }

    let type: String
    let data: Data
  }

  init?(_ request: OutgoingRequest) {
    func header(_ name: String) -> String? { request.headers.first { $0.name == name }?.value }
    guard let id = header("webhook-id"), let seconds = header("webhook-timestamp").flatMap({ Int64($0) }),
      let signature = header("webhook-signature"),
      let read = try? JSONDecoder().decode(Body.self, from: Data(request.body))
    else { return nil }
    self.id = id
    self.seconds = seconds
    self.signature = signature
    body = request.body
    event = read.type
    payout = read.data.payout_id
    txid = read.data.txid
  }

  /// Whether one of its signatures is that of the secret.
  func isSigned(with secret: WebhookSecret) -> Bool {
    signature.split(separator: " ").contains { $0 == secret.signature(id: id, seconds: seconds, body: body) }
  }
}
