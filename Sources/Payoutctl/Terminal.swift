import Dispatch
import Glibc
import Keystore
import Payouts
import Worker

/// The terminal of the person who called.
enum Terminal {
  /// The longest passphrase that is read, in bytes.
  static let passphraseBytesMax = 1_024

  /// Writes a line to standard error.
  static func complain(_ line: String) {
    write(line + "\n", to: STDERR_FILENO)
  }

  /// Asks for a new passphrase, twice, without echo.
  ///
  /// - Throws: `WorkerError` with code configuration where there is no terminal to ask at; `Refusal` where the two
  ///   differ, or Ctrl-C was pressed.
  static func newPassphrase() async throws -> Passphrase {
    // Reading blocks until a person has typed: not on a cooperative thread.
    try await withCheckedThrowingContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(
          with: Result {
            let first = try ask("Passphrase for the new keystore: ")
            guard !first.isEmpty else { throw Refusal(text: "a keystore needs a passphrase; nothing was made") }
            guard try ask("The same again: ") == first else {
              throw Refusal(text: "the two passphrases differ; nothing was made")
            }
            return try Passphrase(first)
          })
      }
    }
  }

  /// One line from the controlling terminal. Signals from the keyboard are switched off while it is typed, so that
  /// Ctrl-C cannot end the process before the echo is back; it ends the question instead.
  private static func ask(_ question: String) throws -> String {
    let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC)
    guard terminal >= 0 else {
      throw WorkerError(
        .configuration,
        "there is no terminal to ask for a passphrase at: set TRON_KEYSTORE_PASSPHRASE_FILE to a file that holds it")
    }
    defer { close(terminal) }
    var before = termios()
    guard tcgetattr(terminal, &before) == 0 else { throw Refusal(text: "the terminal's mode cannot be read") }
    var quiet = before
    quiet.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
    guard tcsetattr(terminal, TCSAFLUSH, &quiet) == 0 else { throw Refusal(text: "the terminal's echo stays on") }
    defer {
      tcsetattr(terminal, TCSAFLUSH, &before)
      write("\n", to: terminal)
    }
    write(question, to: terminal)
    return try line(from: terminal)
  }

  private static func line(from terminal: Int32) throws -> String {
    var bytes: [UInt8] = []
    while true {
      var byte: UInt8 = 0
      let count = read(terminal, &byte, 1)
      if count < 0, errno == EINTR { continue }
      guard count == 1 else { throw Refusal(text: "the terminal went away; nothing was made") }
      switch byte {
      case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
        guard let text = String(validating: bytes, as: UTF8.self) else {
          throw Refusal(text: "the passphrase is not UTF-8 text; nothing was made")
        }
        return text
      case 0x03, 0x04: throw Refusal(text: "given up; nothing was made")
      case 0x08, 0x7f: while let last = bytes.popLast(), last & 0xc0 == 0x80 {}
      case 0x00..<0x20: continue
      default:
        guard bytes.count < passphraseBytesMax else {
          throw Refusal(text: "the passphrase has more than \(passphraseBytesMax) bytes; nothing was made")
        }
        bytes.append(byte)
      }
    }
  }

  private static func write(_ text: String, to descriptor: Int32) {
    // Where nobody can be told, nobody is: nothing hangs on it.
    _ = text.withCString { Glibc.write(descriptor, $0, strlen($0)) }
  }
}
