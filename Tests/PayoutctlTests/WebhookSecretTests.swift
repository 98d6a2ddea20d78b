import Foundation
import TestSupport
import Testing

/// `payoutctl webhook-secret` on a real ledger.
struct WebhookSecretTests {
  @Test func `an owner's secret is made once, shown again, and rotated`() async throws {
    let scene = try await CommandLineScene.vouched()
    let made = try await scene.run("webhook-secret", "gateway")
    #expect(made.exitCode == 0, "\(made.errors)")
    let secret = made.output.trimmingCharacters(in: .newlines)
    let bytes = try #require(Data(base64Encoded: String(secret.dropFirst("whsec_".count))))
    #expect(secret.hasPrefix("whsec_") && bytes.count == 32)
    #expect(try await scene.run("webhook-secret", "gateway").output == made.output)
    #expect(try await scene.run("webhook-secret", "another").output != made.output)

    let rotated = try await scene.run("webhook-secret", "gateway", "--rotate")
    let lines = rotated.output.split(separator: "\n").map(String.init)
    #expect(lines.count == 2 && lines[0].hasPrefix("whsec_") && lines[0] != secret, "\(rotated.errors)")
    #expect(lines[1] == "\(secret) signs as well, for at most 24 hours after its rotation")
    #expect(try await scene.run("webhook-secret", "gateway").output == rotated.output)
    let acts = try await scene.sql("SELECT message FROM alarms WHERE subject = 'webhook secret'")
    #expect(acts.contains("rotated the webhook secret of gateway") && !acts.contains("whsec_"), "\(acts)")
  }

  @Test func `an owner that cannot be one is refused`() async throws {
    let scene = try await CommandLineScene()
    for owner in ["", "a\nb", String(repeating: "o", count: 256)] {
      #expect(try await scene.run("webhook-secret", owner).exitCode == 64)
    }
  }
}
