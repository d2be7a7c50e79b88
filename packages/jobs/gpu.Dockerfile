# The worker of GPU jobs: vLLM's image with the worker in it. `docker build -f packages/jobs/gpu.Dockerfile .`
# A spec may name another OpenAI-compatible server (`models.NAME.command`), as long as this image has it.
FROM node:24-bookworm-slim AS node

FROM vllm/vllm-openai:v0.11.0

# As in packages/jobs/Dockerfile: namespaces, and what tasks expect of a machine.
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      bash bubblewrap ca-certificates coreutils curl diffutils file findutils gawk git iproute2 jq less patch procps \
      ripgrep sed tar tini unzip util-linux wget xz-utils zip zstd \
 && rm -rf /var/lib/apt/lists/*

COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm

WORKDIR /opt/tracemill
COPY package.json package-lock.json ./
COPY packages/agents/package.json packages/agents/
COPY packages/aws/package.json packages/aws/
COPY packages/cli/package.json packages/cli/
COPY packages/core/package.json packages/core/
COPY packages/functions/package.json packages/functions/
COPY packages/jobs/package.json packages/jobs/
COPY packages/local/package.json packages/local/
RUN node /usr/local/lib/node_modules/npm/bin/npm-cli.js ci --omit=dev --ignore-scripts --no-audit --no-fund --workspace @tracemill/jobs \
 && node /usr/local/lib/node_modules/npm/bin/npm-cli.js cache clean --force

COPY packages/core/src packages/core/src
COPY packages/local/src packages/local/src
COPY packages/agents/src packages/agents/src
COPY packages/aws/src packages/aws/src
COPY packages/jobs/src packages/jobs/src

ENV NODE_ENV=production
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/node", "/opt/tracemill/packages/jobs/src/main.ts"]
