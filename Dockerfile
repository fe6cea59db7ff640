# The platform's own Node: the one that the packages carry for old machines is an optional dependency, and left out.
FROM node:26-slim AS modules
WORKDIR /gancho
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund

FROM node:26-slim
ENV NODE_ENV=production NODE_OPTIONS=--disable-warning=ExperimentalWarning HOST=0.0.0.0 PORT=4000
WORKDIR /gancho
COPY --from=modules /gancho/node_modules node_modules
COPY package.json LICENSE ./
COPY script script
COPY src src
USER node
EXPOSE 4000
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Node itself, without a launcher: SIGTERM is to reach Gancho.
CMD ["node", "src/main.ts"]
