import Payouts
import Tron
import Worker

extension NodeConfiguration {
  /// The one node of the configuration.
  func connection() throws(MalformedValue) -> NodeConnection {
    let url = rpcURLs.first?.withText { $0 } ?? ""
    let solidityURL = solidityURL?.withText { $0 }
    return try NodeConnection(url: url, solidityURL: solidityURL, apiKey: apiKey?.withText { $0 })
  }
}
