import FoundationEssentials

/// The person who called: what they do stands under their name in the database.
enum Operator {
  /// The longest name that is kept, in bytes: PostgreSQL cuts an application's name at 63.
  private static let nameBytesMax = 40

  /// `payoutctl:` and the login name; under sudo, that of whoever called it. A hint for honest colleagues, no proof:
  /// whoever may call this program with the database's password may write in the database as anybody.
  static let actor: String = {
    let user = ProcessInfo.processInfo.userName
    let caller = user == "root" ? ProcessInfo.processInfo.environment["SUDO_USER"] ?? user : user
    let name = caller.unicodeScalars.filter { $0.isASCII && $0.value > 0x20 && $0.value != 0x7f }.prefix(nameBytesMax)
    return "payoutctl:" + String(String.UnicodeScalarView(name))
  }()
}
