--- What an admin may write, as Kong's schemas have it. Generated from the core's types: see filter/tests/schema.rs.
-- Empty strings are the core's to refuse, which says more.


-- luacheck: no max line length
return {
  type = "record",
  fields = {
    { anonymous = {
      description = "Username of the consumer for requests without a valid key. A consumer that another plugin of Kong's has\nestablished with a credential is kept. Default: requests without a valid key are rejected.",
      type = "string",
      len_min = 0,
    } },
    { authentication = {
      description = "Who says which consumer is asking. Default: api_key.",
      type = "string",
      one_of = { "api_key", "gateway" },
    } },
    { client_certificate = {
      description = "Name of the client certificate where no rule matches. Default: the upstream's own setting stays.",
      type = "string",
      len_min = 0,
    } },
    { consumers = {
      description = "Who may ask.",
      type = "array",
      elements = {
        type = "record",
        fields = {
          { custom_id = {
            description = "Sent upstream as X-Consumer-Custom-ID.",
            type = "string",
            len_min = 0,
          } },
          { groups = {
            description = "What rules may ask for.",
            type = "array",
            elements = {
              type = "string",
              len_min = 0,
            },
          } },
          { id = {
            description = "A UUID, unique; sent upstream as X-Consumer-ID.",
            type = "string",
            len_min = 0,
          } },
          { keys = {
            description = "API keys; any of them will do.",
            type = "array",
            elements = {
              type = "record",
              fields = {
                { id = {
                  description = "Unique within the consumer; sent upstream as X-Credential-Identifier.",
                  required = true,
                  type = "string",
                  len_min = 0,
                } },
                { not_after = {
                  description = "Last moment of the key, RFC 3339. Default: never ends.",
                  type = "string",
                  len_min = 0,
                } },
                { not_before = {
                  description = "First moment of the key, RFC 3339. Default: always.",
                  type = "string",
                  len_min = 0,
                } },
                { sha256 = {
                  description = "SHA-256 of the key, 64 hexadecimal digits.",
                  required = true,
                  type = "string",
                  len_min = 0,
                } },
              },
            },
          } },
          { username = {
            description = "Unique; sent upstream as X-Consumer-Username.",
            required = true,
            type = "string",
            len_min = 0,
          } },
        },
      },
    } },
    { consumers_file = {
      description = "File with `consumers`, as they are written here: YAML or JSON, read again when it changes. With the native plugin\nor the embedded gateway only: a filter has no files.",
      type = "string",
      len_min = 0,
    } },
    { hide_credentials = {
      description = "Take keys out of the request before it goes upstream: headers and arguments of key_names, whether or not one is\nlooked for there, and every other place where one is. Default: false.",
      type = "boolean",
    } },
    { key_authorization = {
      description = "Scheme under which the header Authorization may hold the key, such as Bearer. Looked for after key_names.\nDefault: none.",
      type = "string",
      len_min = 0,
    } },
    { key_cookies = {
      description = "Names of the cookies that may hold the key, in order. Looked for last. Default: none.",
      type = "array",
      elements = {
        type = "string",
        len_min = 0,
      },
    } },
    { key_in_body = {
      description = "Look for the key in the body too, which is read whole for that. Default: false. With the native plugin only: a\nfilter sees no body before it has to decide.",
      type = "boolean",
    } },
    { key_in_header = {
      description = "Look for the key in headers. Default: true.",
      type = "boolean",
    } },
    { key_in_query = {
      description = "Look for the key in the query. Default: true.",
      type = "boolean",
    } },
    { key_names = {
      description = "Names of the header or query argument that holds the key, in order. Default: [apikey].",
      type = "array",
      elements = {
        type = "string",
        len_min = 0,
      },
    } },
    { realm = {
      description = "Realm in WWW-Authenticate, behind the scheme of key_authorization, or Key. Default: none.",
      type = "string",
      len_min = 0,
    } },
    { rules = {
      description = "The first rule that matches decides.",
      type = "array",
      elements = {
        type = "record",
        fields = {
          { client_certificate = {
            description = "Name of the client certificate to present.",
            type = "string",
            len_min = 0,
          } },
          { deny = {
            description = "Refuse the request.",
            type = "record",
            fields = {
              { message = {
                description = "What the client is told. Default: Forbidden.",
                type = "string",
                len_min = 0,
              } },
              { status = {
                description = "400 to 599. Default: 403.",
                type = "integer",
                between = { 400, 599 },
              } },
            },
          } },
          { match = {
            description = "All conditions must hold; none: every request matches.",
            required = true,
            type = "record",
            fields = {
              { consumers = {
                description = "Usernames.",
                type = "array",
                elements = {
                  type = "string",
                  len_min = 0,
                },
              } },
              { groups = {
                description = "Groups of the consumer.",
                type = "array",
                elements = {
                  type = "string",
                  len_min = 0,
                },
              } },
              { headers = {
                description = "Header names with their values; all names must match, with any of the values.",
                type = "map",
                keys = { type = "string" },
                values = {
                  type = "array",
                  elements = {
                    type = "string",
                    len_min = 0,
                  },
                },
              } },
              { hosts = {
                description = "Host names that the client asked for, without port.",
                type = "array",
                elements = {
                  type = "string",
                  len_min = 0,
                },
              } },
              { methods = {
                description = "HTTP methods, upper case.",
                type = "array",
                elements = {
                  type = "string",
                  len_min = 0,
                },
              } },
              { path_prefix = {
                description = "Beginning of the path that the upstream will receive, in whole segments.",
                type = "string",
                len_min = 0,
              } },
              { paths = {
                description = "Paths that the upstream will receive, to the end.",
                type = "array",
                elements = {
                  type = "string",
                  len_min = 0,
                },
              } },
            },
          } },
        },
      },
    } },
    { run_on_preflight = {
      description = "Ask OPTIONS requests for a key too. Default: true.",
      type = "boolean",
    } },
  },
}
