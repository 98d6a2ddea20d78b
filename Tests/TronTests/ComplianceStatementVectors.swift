import Payouts
import Tron

/// What `compliance/sign_statements.py` printed: statements signed in plain integers, without this program and without
/// libsecp256k1. Run it again to see the same; a row is node | amount | reason | valid until | kyc hash | recipient |
/// nonce | digest | authority | signature | its twin with a high s.
enum ComplianceVectors {
  struct Vector: Sendable {
    let statement: ComplianceStatement
    let digest: [UInt8]
    let authority: Address
    let signature: [UInt8]
    let twin: [UInt8]
  }

  static func all() throws -> [Vector] {
    try rows.split(separator: "\n").map { line in
      let parts = line.split(separator: "|").map(String.init)
      return Vector(
        statement: try ComplianceStatement(
          node: parts[0], kycHash: hex(parts[4]), recipient: Address(bytes: hex(parts[5])),
          amount: Amount(microUSDT: Int64(parts[1]) ?? -1), reason: parts[2], nonce: hex(parts[6]),
          validUntilSeconds: Int64(parts[3]) ?? -1),
        digest: hex(parts[7]), authority: try Address(bytes: hex(parts[8])), signature: hex(parts[9]),
        twin: hex(parts[10]))
    }
  }

  private static let rows = """
    node-1|0|kyc_verification|1800000000|ddd481555009d412365d28179dd6dfe9a6a62e08466c4bebafc41e611747d462|41dbf8b58dec30242dd3e1a64331b9dacdb58cfa0f|0a78009591722cc84825ca95ee7ffa52428047ed12c9076044ebfe8665f9657f|09d57871042ec875055f57e5708e4083ca42f477e8007cb504ecd4fd264c5b89|41899c6177a2ab5498acdb72d745035793da81a813|a0fd4613c96262f224b20fc4c94543b5b48f0d8dd18bb3d6ddb5c2f18cb2ff62611059591773acc4a4b25cf7f333a19da6673afae5d242fb8774883cc74eb00b01|a0fd4613c96262f224b20fc4c94543b5b48f0d8dd18bb3d6ddb5c2f18cb2ff629eefa6a6e88c533b5b4da3080ccc5e611447a1ebc9765d40385dd65008e7913600
    node-1|12500000|node_operation|1800000001|96384630659370097891b8bbf7536531589e2933a8ec2ecce65ac8e78e39e957|41debd5c88c70c54820665d03373f1db3efe45551f|626e1e3b6935c66a2c8ab9c84fc3dd552253090c6e91f59499bccbc7b8ffc5c2|4c956f0400a7b99270dfee26479437eecfa4dfd28402cb45dfdc8dbb5f99ab7e|41c06520135f043f380230ac17343f33523d449cb8|053d43887e21ab078866b577267ce28aba1b9e3748fb58d118fd97c7e665a3da7538e802468c694c31ff9782b5dee51c2d35cacebdeafbb5bca82f9a5d288d9500|053d43887e21ab078866b577267ce28aba1b9e3748fb58d118fd97c7e665a3da8ac717fdb97396b3ce00687d4a211ae28d791217f15da486032a2ef2730db3ac01
    Knoten Zürich/7|10000000000|uptime_reward|4102444800|c31dbffff227757ccc7515ec9d0d44bb83183d458178adfb66606fa202d68b01|410a6032be550d2ae62855cc32897d2dd16775600d|0f5f924500a4d703b9a480306e2faa6cba900295e5a1144b3c772a3a66db2a84|01f6745db69c857ef6f86585279d2263ae9c2e142d15debfcb6662fc19761373|41dc23ba377509e86ba3ce550b66d9916a86ea1f8b|ba2337e0a676500f20b2575225adca2da5e42477296117a181e1300af7640e25207fa65d61ae1a00e241459fe7d97d83719477661a97efb90c1d517bde6db82f00|ba2337e0a676500f20b2575225adca2da5e42477296117a181e1300af7640e25df8059a29e51e5ff1dbeba601826827b491a658094b0b082b3b50d10f1c8891201
    nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn|9223372036854775807|maintenance_reward|1|4d613a1fd6adcd6a1fea23dd2251a06bc8ae133c7c940274d5980f5943c23575|417547397dc9faf1b05fe014dda1f2bc279b00dd1d|6970041381069bfeb059842158d5b779445816bb6eb90a5f342dba43ad7f1369|be537994e01d63d59e310388eccd36f3392610e33a8cd3be35a86234492494d6|41adb12bc7cf729a1b6065866c09e52ce6ef3d9322|a40f16a14899286929924e1b1578091b972a11a206cda410ea0b30e463b92b0f57f372c7484be55611d4844206a14aa0a55aae515731c6baad0f77765e1b1c7a00|a40f16a14899286929924e1b1578091b972a11a206cda410ea0b30e463b92b0fa80c8d38b7b41aa9ee2b7bbdf95eb55e15542e955816d98112c2e716721b24c701
    """
}
