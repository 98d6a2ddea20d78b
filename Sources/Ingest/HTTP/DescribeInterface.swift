/// The page at /docs: the document of the interface for people, as HTML that fetches nothing and runs no script.
struct DescribeInterface: Sendable {
  /// The whole page, in UTF-8.
  let page: [UInt8]

  /// - Parameter document: as served at /openapi.json.
  init(_ document: JSONValue) {
    let info = document.member("info")
    var html = HTMLText()
    html.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>")
    html.text(info.string("title"))
    html.raw("</title><style>\(Self.style)</style></head><body><main><h1>")
    html.text("\(info.string("title")) \(info.string("version"))")
    html.raw("</h1>")
    html.paragraphs(info.string("description"))
    Self.credentials(document, &html)
    Self.contents(document, &html)
    for (path, item) in document.members("paths") {
      let common = item.items("parameters")
      for (method, operation) in item.members where method != "parameters" {
        Self.operation(method.uppercased(), path, operation, common, document, &html)
      }
    }
    html.raw("<h2>Schemas</h2>")
    for (name, schema) in document.member("components").members("schemas") { Self.schema(name, schema, &html) }
    html.raw("</main></body></html>")
    page = Array(html.content.utf8)
  }

  /// The only style that the page may have, by its answer's Content-Security-Policy.
  static let style = """
    body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1a1a1a;background:#fff}
    main{max-width:60rem;margin:0 auto;padding:2rem 1rem}
    h2{margin-top:3rem;border-top:1px solid #ddd;padding-top:1rem}h3{margin-top:2rem}
    code{font:14px ui-monospace,monospace;background:#f3f3f3;padding:0 .2em}
    table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;border-bottom:1px solid #eee;padding:.3rem .5rem}
    """

  private static func credentials(_ document: JSONValue, _ html: inout HTMLText) {
    html.raw("<h2 id=\"credentials\">Credentials</h2>")
    for (name, scheme) in document.member("components").members("securitySchemes") {
      let place = scheme.string("name").isEmpty ? scheme.string("scheme") : "header \(scheme.string("name"))"
      html.raw("<h3 id=\"credentials-\(HTMLText.escaped(name))\">")
      html.text("\(name): \(scheme.string("type")), \(place)")
      html.raw("</h3>")
      html.paragraphs(scheme.string("description"))
    }
  }

  private static func contents(_ document: JSONValue, _ html: inout HTMLText) {
    html.raw("<h2>Calls</h2><ul>")
    for (path, item) in document.members("paths") {
      for (method, operation) in item.members where method != "parameters" {
        html.raw("<li><a href=\"#\(HTMLText.escaped(operation.string("operationId")))\"><code>")
        html.text("\(method.uppercased()) \(path)")
        html.raw("</code></a> ")
        html.text(operation.string("summary"))
        html.raw("</li>")
      }
    }
    html.raw("</ul>")
  }

  private static func operation(
    _ method: String, _ path: String, _ operation: JSONValue, _ common: [JSONValue], _ document: JSONValue,
    _ html: inout HTMLText
  ) {
    html.raw("<h2 id=\"\(HTMLText.escaped(operation.string("operationId")))\"><code>")
    html.text("\(method) \(path)")
    html.raw("</code></h2>")
    html.paragraphs(operation.string("summary"))
    html.paragraphs(operation.string("description"))
    if operation.member("security") == .array([]) { html.raw("<p>Needs no credentials.</p>") }
    let parameters = (common + operation.items("parameters")).map { document.resolved($0) }
    if !parameters.isEmpty {
      html.raw("<h3>Parameters</h3><table><tr><th>name<th>in<th>type<th>meaning</tr>")
      for parameter in parameters {
        html.row([
          .code(parameter.string("name")),
          .text(parameter.string("in") + (parameter.flag("required") ? ", required" : "")),
          .type(parameter.member("schema")), .text(parameter.string("description")),
        ])
      }
      html.raw("</table>")
    }
    if let body = document.resolved(operation.member("requestBody")).bodySchema {
      html.raw("<h3>Body</h3><p>")
      html.cell(.type(body))
      html.raw("</p>")
    }
    html.raw("<h3>Answers</h3><table><tr><th>status<th>body<th>meaning</tr>")
    for (status, response) in operation.members("responses") {
      let response = document.resolved(response)
      let headers = response.members("headers").map(\.name)
      let more = headers.isEmpty ? "" : " Headers: \(headers.joined(separator: ", "))."
      html.row([
        .code(status), .type(response.bodySchema ?? .null), .text(response.string("description") + more),
      ])
    }
    html.raw("</table>")
  }

  private static func schema(_ name: String, _ schema: JSONValue, _ html: inout HTMLText) {
    html.raw("<h3 id=\"\(HTMLText.escaped(name))\">")
    html.text(name)
    html.raw("</h3>")
    html.paragraphs(schema.string("description"))
    guard !schema.members("properties").isEmpty else {
      html.raw("<p>")
      html.cell(.type(schema))
      html.raw("</p>")
      return
    }
    let required = schema.items("required").compactMap(\.plainText)
    html.raw("<table><tr><th>field<th>type<th>meaning</tr>")
    for (field, type) in schema.members("properties") {
      let more = required.contains(field) ? "" : "optional. "
      html.row([.code(field), .type(type), .text(more + type.string("description"))])
    }
    html.raw("</table>")
  }
}
