import ArgumentParser
import FoundationEssentials
import Payouts

/// Why a person does something; required wherever something is changed, and kept for ever.
struct ReasonOption: ParsableArguments {
  /// The most characters of a text that is kept in the history.
  static let charactersMax = 500

  @Option(name: .long, help: "Why, in a few words; stands in the history.", transform: ReasonOption.line)
  var reason: String

  /// One line that says something.
  static func line(_ text: String) throws -> String {
    let isOneLine = text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    guard isOneLine, text.contains(where: { !$0.isWhitespace }), text.count <= charactersMax else {
      throw ValidationError("expected 1 to \(charactersMax) characters on one line")
    }
    return text
  }
}

/// The payout that a command is about.
struct PayoutArgument: ParsableArguments {
  @Argument(help: "The payout's id.", transform: PayoutArgument.payoutID)
  var payout: PayoutID

  private static func payoutID(_ text: String) throws -> PayoutID {
    do { return try PayoutID(text) } catch { throw ValidationError(error.reason) }
  }
}

/// How a list is written, and how much of it.
struct ListOptions: ParsableArguments {
  /// How many lines a list has at most, whatever is asked for.
  static let limits = 1...1_000

  @Option(name: .long, help: "At most so many, 1 to 1000; default 100.", transform: ListOptions.limit)
  var limit: Int = 100

  @Flag(name: .long, help: "As JSON, for programs.")
  var json = false

  private static func limit(_ text: String) throws -> Int {
    guard let limit = Int(text), limits.contains(limit) else {
      throw ValidationError("expected a number from \(limits.lowerBound) to \(limits.upperBound)")
    }
    return limit
  }

  /// Writes a list: as JSON, or a few lines an entry. Says so where there may be more than was asked for.
  func write<Entry: Encodable>(_ entries: [Entry], none: String, lines: (Entry) -> [String]) throws {
    if json {
      print(try entries.json())
    } else {
      print(entries.isEmpty ? none : entries.flatMap(lines).map(\.withoutControls).joined(separator: "\n"))
    }
    if entries.count >= limit { Terminal.complain("payoutctl: there may be more than these \(limit): see --limit") }
  }
}

extension Encodable {
  /// As JSON text: what is not known is left out, names in snake case.
  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }
}

extension String {
  /// Without what moves a terminal's cursor: texts of nodes and of other programs stand in notes and errors.
  var withoutControls: String {
    String(
      String.UnicodeScalarView(
        unicodeScalars.map { $0.properties.generalCategory == .control ? Unicode.Scalar(0x20) : $0 }))
  }
}
