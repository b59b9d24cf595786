using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;

namespace Coherency.Tests.Layout;

/// <summary>A field as the runtime lays it out; <c>Offset</c> and <c>Size</c> in bytes.</summary>
internal sealed record MeasuredField(FieldInfo Field, int Offset, int Size)
{
    public string Name => Field.Name;
}

/// <summary>
/// A C# struct as the runtime lays it out in memory, private fields and fixed buffers included. Measured with the sizeof
/// instruction and pointer differences: Marshal.SizeOf and OffsetOf describe the marshalled form, another layout for bool
/// and char, and our code never marshals a struct.
/// </summary>
internal sealed class MeasuredStruct
{
    private const BindingFlags EveryField = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    public MeasuredStruct(Type type)
    {
        Type = type;
        Size = SizeOf(type);
        Fields = [.. type.GetFields(EveryField).Select(Measure)];
    }

    public Type Type { get; }

    public int Size { get; }

    public IReadOnlyList<MeasuredField> Fields { get; }

    public static bool IsFixedBuffer(FieldInfo field) => field.IsDefined(typeof(FixedBufferAttribute), inherit: false);

    private static MeasuredField Measure(FieldInfo field) => new(field, OffsetOf(field), SizeOf(field.FieldType));

    private static int SizeOf(Type type) => Run(il => il.Emit(OpCodes.Sizeof, type));

    /// <summary>Address of the field minus address of the struct, in a local variable.</summary>
    private static int OffsetOf(FieldInfo field) => Run(il =>
    {
        LocalBuilder sample = il.DeclareLocal(field.DeclaringType!);
        il.Emit(OpCodes.Ldloca, sample);
        il.Emit(OpCodes.Ldflda, field);
        il.Emit(OpCodes.Ldloca, sample);
        il.Emit(OpCodes.Sub);
        il.Emit(OpCodes.Conv_I4);
    });

    private static int Run(Action<ILGenerator> emit)
    {
        DynamicMethod method = new("Measure", typeof(int), null, typeof(MeasuredStruct).Module, skipVisibility: true);
        ILGenerator il = method.GetILGenerator();
        emit(il);
        il.Emit(OpCodes.Ret);
        return method.CreateDelegate<Func<int>>()();
    }
}
