// Promise.withResolvers for Node below 22: without it the SDK never answers, and says nothing about it.
Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new Promise((done, fail) => {
    resolve = done;
    reject = fail;
  });
  return { promise, resolve, reject };
};
