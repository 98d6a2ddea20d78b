extension Settings {
  /// The longest name of a Signer.
  private static let signerNameBytesMax = 64

  /// `SIGNER_NAME`: letters, digits, dots, dashes and underscores, at most 64, since it names a file and a consumer.
  ///
  /// Signer and `payoutctl signer init` read it by the same rule: a declared name stands in the ledger for ever, and one
  /// that Signer refuses would keep everybody from vouching.
  public mutating func signerName() -> String {
    let key = "SIGNER_NAME"
    let name = text(key, default: "signer")
    let isPlain = name.utf8.allSatisfy { character in
      switch character {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
    if !isPlain || !(1...Settings.signerNameBytesMax).contains(name.utf8.count) || name.hasPrefix("."),
      !hasProblem(key)
    {
      note(
        key, "expected 1 to \(Settings.signerNameBytesMax) letters, digits, dots, dashes and underscores, no dot first")
    }
    return name
  }
}
