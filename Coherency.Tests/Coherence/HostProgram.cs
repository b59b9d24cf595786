namespace Coherency.Tests.Coherence;

/// <summary>Another program of the host: Python, which does what it is told, in the shared directory.</summary>
internal sealed class HostProgram : IDisposable
{
    /// <summary>Each line on standard input is a statement; each is answered with a line, once it was carried out.</summary>
    private const string Interpreter = """
        import ctypes, os, stat, sys, time
        libc = ctypes.CDLL(None, use_errno=True)
        def exchange(a, b):
            if libc.renameat2(-100, a.encode(), -100, b.encode(), 2): raise OSError(ctypes.get_errno())
        def write(path, data):
            fd = os.open(path, os.O_WRONLY); os.write(fd, data); os.close(fd)
        answer = ''
        for line in sys.stdin:
            exec(line)
            print(answer, flush=True)
        """;

    private readonly Conversation _python;

    /// <param name="command">What to start Python through, such as nsenter(1) with its arguments.</param>
    public HostProgram(string directory, params string[] command)
    {
        string[] words = [.. command, "python3", "-c", Interpreter];
        _python = new Conversation(words[0], words[1..], directory);
    }

    /// <summary>Carries a statement out; what it left in the variable <c>answer</c>.</summary>
    public string Run(string statement)
    {
        _python.WriteLine(statement);
        return _python.ReadLine() ?? throw new InvalidOperationException($"'{statement}' failed");
    }

    public void Dispose() => _python.Dispose();
}
