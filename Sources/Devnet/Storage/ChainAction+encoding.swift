/// How a chain's file keeps what was done besides transactions.
extension ChainAction {
  /// Stands in the file: a number never changes its meaning.
  private enum Kind: Int64 {
    case propose = 1
    case pauseToken, blacklist, setTokenFee, setTokenOwner, deprecateToken, setCallerEnergyPercent, setTokenDemand
    case setBalance, setTokenBalance, setEnergy
    case refuseRecipient
  }

  /// Its bytes: kind, address, two numbers, a name.
  var encoded: Bytes {
    switch self {
    case .propose(let key, let value): Self.encode(.propose, first: value, name: key.rawValue)
    case .pauseToken(let isPaused): Self.encode(.pauseToken, first: isPaused ? 1 : 0)
    case .blacklist(let address, let isListed): Self.encode(.blacklist, address, first: isListed ? 1 : 0)
    case .refuseRecipient(let address, let isRefused):
      Self.encode(.refuseRecipient, address, first: isRefused ? 1 : 0)
    case .setTokenFee(let basisPoints, let maximum):
      Self.encode(.setTokenFee, first: basisPoints, second: maximum)
    case .setTokenOwner(let address): Self.encode(.setTokenOwner, address)
    case .deprecateToken(let address): Self.encode(.deprecateToken, address)
    case .setCallerEnergyPercent(let percent): Self.encode(.setCallerEnergyPercent, first: percent)
    case .setTokenDemand(let energy): Self.encode(.setTokenDemand, first: energy)
    case .setBalance(let address, let sun): Self.encode(.setBalance, address, first: sun)
    case .setTokenBalance(let address, let units):
      Self.encode(.setTokenBalance, address, first: Int64(bitPattern: units))
    case .setEnergy(let address, let energy): Self.encode(.setEnergy, address, first: energy)
    }
  }

  private static func encode(
    _ kind: Kind, _ address: Address? = nil, first: Int64 = 0, second: Int64 = 0, name: String = ""
  ) -> Bytes {
    var writer = ProtobufWriter()
    writer.integer(1, kind.rawValue)
    writer.bytes(2, address?.bytes ?? [])
    writer.integer(3, first)
    writer.integer(4, second)
    writer.bytes(5, Bytes(name.utf8))
    return writer.bytes
  }

  /// The action that `bytes` encode.
  init(decoding bytes: Bytes) throws(ProtobufError) {
    var (number, address, first, second, name): (Int64, Bytes, Int64, Int64, String) = (0, [], 0, 0, "")
    var reader = ProtobufReader(bytes)
    while let field = try reader.next() {
      switch field.number {
      case 1: number = try field.integer()
      case 2: address = try field.bytes()
      case 3: first = try field.integer()
      case 4: second = try field.integer()
      case 5: name = String(decoding: try field.bytes(), as: UTF8.self)
      default: break
      }
    }
    guard let kind = Kind(rawValue: number) else { throw ProtobufError(reason: "an action of unknown kind \(number)") }
    switch kind {
    case .propose:
      guard let key = ChainParameterKey(rawValue: name) else {
        throw ProtobufError(reason: "a parameter of unknown name \(name)")
      }
      self = .propose(key, first)
    case .pauseToken: self = .pauseToken(first != 0)
    case .blacklist: self = .blacklist(try Address(recorded: address), first != 0)
    case .refuseRecipient: self = .refuseRecipient(try Address(recorded: address), first != 0)
    case .setTokenFee: self = .setTokenFee(basisPoints: first, maximum: second)
    case .setTokenOwner: self = .setTokenOwner(try Address(recorded: address))
    case .deprecateToken: self = .deprecateToken(upgraded: try Address(recorded: address))
    case .setCallerEnergyPercent: self = .setCallerEnergyPercent(first)
    case .setTokenDemand: self = .setTokenDemand(first)
    case .setBalance: self = .setBalance(try Address(recorded: address), first)
    case .setTokenBalance: self = .setTokenBalance(try Address(recorded: address), UInt64(bitPattern: first))
    case .setEnergy: self = .setEnergy(try Address(recorded: address), first)
    }
  }
}
