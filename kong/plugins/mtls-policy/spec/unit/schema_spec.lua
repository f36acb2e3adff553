local stand_ins = require "kong.spec.stand_ins"


-- The native library is replaced: which policies it rejects is tested in Rust, and through Kong in spec/integration.
describe("mtls-policy: schema", function()
  local schema, checked, problems

  before_each(function()
    stand_ins.reset()
    checked, problems = {}, nil
    stand_ins.replace("kong.plugins.mtls-policy.native", {
      problems_of = function(document)
        checked[#checked + 1] = document
        return problems
      end,
    })
    schema = require "kong.plugins.mtls-policy.schema"
  end)

  local function definition(name)
    for _, each in ipairs(schema.fields) do
      if each[name] then
        return each[name]
      end
    end
  end

  local function config_field(name)
    for _, each in ipairs(definition("config").fields) do
      if each[name] then
        return each[name]
      end
    end
  end

  it("is the schema of mtls-policy", function()
    assert.equal("mtls-policy", schema.name)
  end)

  it("is for HTTP, and not for consumers", function()
    local typedefs = require "kong.db.schema.typedefs"
    assert.equal(typedefs.protocols_http, definition("protocols"))
    assert.equal(typedefs.no_consumer, definition("consumer"))
  end)

  it("accepts what the library has no problem with", function()
    assert.is_true(definition("config").custom_validator({ realm = "dogs" }))
    assert.equal(1, #checked)
    assert.equal('{"realm":"dogs"}', checked[1])
  end)

  it("rejects with all of the library's problems, each at its field", function()
    problems = 'rules[0]: unknown certificate\nrules[1].match: unknown group\nanonymous: unknown consumer'
    local ok, errors = definition("config").custom_validator({})
    assert.is_nil(ok)
    assert.same({
      rules = "rules[0]: unknown certificate; rules[1].match: unknown group",
      anonymous = "anonymous: unknown consumer",
    }, errors)
  end)

  it("rejects with a problem that has no field", function()
    problems = "the policy is too large"
    local _, errors = definition("config").custom_validator({})
    assert.same({ ["@entity"] = { problems } }, errors)
  end)

  it("shows the effective values of what is left out", function()
    for name, value in pairs({
      authentication = "api_key",
      key_names = { "apikey" },
      key_in_header = true,
      key_in_query = true,
      key_in_body = false,
      hide_credentials = false,
      run_on_preflight = true,
    }) do
      assert.same(value, config_field(name).default, name)
    end

    assert.is_nil(config_field("anonymous").default)
    assert.is_nil(config_field("consumers").default)
  end)

  it("has every field that key-auth has, under key-auth's name", function()
    for _, name in ipairs({
      "key_names", "hide_credentials", "anonymous", "key_in_header", "key_in_query", "key_in_body", "run_on_preflight",
      "realm",
    }) do
      assert.is_table(config_field(name), name)
    end
  end)

  it("has no field for a key in plain text", function()
    local keys
    for _, each in ipairs(config_field("consumers").elements.fields) do
      keys = keys or each.keys
    end

    local names = {}
    for _, each in ipairs(keys.elements.fields) do
      names[#names + 1] = next(each)
    end

    table.sort(names)
    assert.same({ "id", "not_after", "not_before", "sha256" }, names)
  end)
end)
