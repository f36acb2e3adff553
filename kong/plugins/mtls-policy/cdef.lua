--- The native library's C side, for LuaJIT's FFI. Generated from kong/native: see its tests/cdef.rs.


return [[
typedef struct mtls_policy_consumers mtls_policy_consumers;

typedef struct mtls_policy_consumers_file mtls_policy_consumers_file;

typedef struct mtls_policy mtls_policy;

typedef struct {
  int len;
  const unsigned char *data;
} mtls_policy_text;

typedef struct {
  bool method;
  bool authority;
  bool path;
  bool query;
  bool body;
  bool established;
  bool anonymous;
} mtls_policy_wanted;

typedef struct {
  mtls_policy_text name;
  mtls_policy_text value;
} mtls_policy_field;

typedef struct {
  mtls_policy_text id;
  mtls_policy_text username;
  mtls_policy_text custom_id;
  mtls_policy_text credential;
  mtls_policy_text groups;
} mtls_policy_established;

typedef struct {
  mtls_policy_text method;
  mtls_policy_text authority;
  mtls_policy_text path;
  mtls_policy_text query;
  const mtls_policy_field *headers;
  uintptr_t headers_len;
  const mtls_policy_field *body;
  uintptr_t body_len;
  const mtls_policy_established *established;
  int64_t now;
} mtls_policy_request;

typedef struct {
  uint16_t status;
  uint8_t caller;
  bool hide_in_body;
  uint8_t set;
  uintptr_t holder;
  mtls_policy_text id;
  mtls_policy_text custom_id;
  mtls_policy_text username;
  mtls_policy_text credential;
  mtls_policy_text groups;
  mtls_policy_text certificate;
  mtls_policy_text query;
  mtls_policy_text cookies;
  mtls_policy_text message;
  mtls_policy_text challenge;
  mtls_policy_text reason;
  mtls_policy_text *removed;
  uintptr_t removed_capacity;
  uintptr_t removed_len;
} mtls_policy_decision;

typedef struct {
  mtls_policy_text content_type;
  mtls_policy_text body;
} mtls_policy_answer_of;

typedef struct {
  const mtls_policy_field *values;
  uintptr_t values_len;
  mtls_policy_text rest;
  mtls_policy_text reason;
} mtls_policy_body;

const char *mtls_policy_version(void);

mtls_policy *mtls_policy_compile(const unsigned char *document,
                                 uintptr_t len,
                                 const mtls_policy_consumers *consumers);

mtls_policy *mtls_policy_check(const unsigned char *document, uintptr_t len);

mtls_policy_text mtls_policy_problems(const mtls_policy *policy);

mtls_policy_wanted mtls_policy_wants(const mtls_policy *policy);

uint16_t mtls_policy_decide(const mtls_policy *policy,
                            const mtls_policy_request *request,
                            mtls_policy_decision *decision);

uint16_t mtls_policy_reselect(const mtls_policy *policy,
                              const mtls_policy_request *request,
                              mtls_policy_decision *decision);

void mtls_policy_answer(const mtls_policy_request *request,
                        const unsigned char *message,
                        uintptr_t message_len,
                        const unsigned char *request_id,
                        uintptr_t request_id_len,
                        bool http2,
                        mtls_policy_answer_of *answer);

void mtls_policy_free(mtls_policy *policy);

uint16_t mtls_policy_body_read(uint8_t kind,
                               const unsigned char *content_type,
                               uintptr_t content_type_len,
                               const unsigned char *data,
                               uintptr_t len,
                               const mtls_policy_field *names,
                               uintptr_t names_len,
                               bool hide,
                               mtls_policy_body *out);

void mtls_policy_body_release(void);

mtls_policy_consumers_file *mtls_policy_consumers_file_open(const unsigned char *path,
                                                            uintptr_t len);

void mtls_policy_consumers_file_start(const mtls_policy_consumers_file *file);

uint8_t mtls_policy_consumers_file_poll(mtls_policy_consumers_file *file);

void mtls_policy_consumers_file_wait(const mtls_policy_consumers_file *file, uint32_t milliseconds);

mtls_policy_consumers *mtls_policy_consumers_file_take(mtls_policy_consumers_file *file);

mtls_policy_text mtls_policy_consumers_file_error(const mtls_policy_consumers_file *file);

void mtls_policy_consumers_file_free(mtls_policy_consumers_file *file);

uintptr_t mtls_policy_consumers_keys(const mtls_policy_consumers *consumers);

void mtls_policy_consumers_free(mtls_policy_consumers *consumers);
]]
