"""StableLM-Base-Alpha v2 written out plainly in float64, token by token; writes architectures/stablelm-alpha. Needs torch and safetensors."""
import torch,json,os,math
from safetensors.torch import save_file
torch.set_num_threads(1)
H,N,V,L,I,E=32,4,97,3,256,1e-8
d=H//N; rot=int(d*0.5)
g=torch.Generator().manual_seed(11)
r=lambda *s: (torch.randn(*s,generator=g)/ (s[-1]**.5 if len(s)>1 else 5)).bfloat16()
w={'transformer.embed.weight':r(V,H),'transformer.final_norm.weight':(1+r(H).float()).bfloat16(),'transformer.final_norm.bias':r(H),'lm_head.weight':r(V,H)}
for i in range(L):
    p=f'transformer.layers.{i}.'
    w|={p+'norm.weight':(1+r(H).float()).bfloat16(),p+'norm.bias':r(H),p+'attention.qkv_proj.weight':r(3*H,H),p+'attention.out_proj.weight':r(H,H),p+'mlp.gate_proj.weight':r(2*I,H),p+'mlp.out_proj.weight':r(H,I),
        p+'attention.rotary_emb.inv_freq':torch.zeros(rot//2)}
seqs=[torch.randint(3,97,(n,),generator=g).tolist() for n in (1,7,23)]
W={k:v.double() for k,v in w.items()}
def norm(x,p):
    x=x-x.mean(-1,keepdim=True); return x/(x.pow(2).mean(-1,keepdim=True)+E).sqrt()*W[p+'.weight']+W[p+'.bias']
def turn(x,t): # one head of one token
    y=x.clone()
    for j in range(rot//2):
        a=t*10000.0**(-2*j/rot); c,s=math.cos(a),math.sin(a)
        y[j]=x[j]*c-x[j+rot//2]*s; y[j+rot//2]=x[j+rot//2]*c+x[j]*s
    return y
out={}
for n,ids in enumerate(seqs):
    x=W['transformer.embed.weight'][ids]; out[f'{n}.embed']=x
    for i in range(L):
        p=f'transformer.layers.{i}.'; h=norm(x,p+'norm')
        qkv=h@W[p+'attention.qkv_proj.weight'].T; att=torch.zeros_like(x)
        for k in range(N):
            b=k*3*d
            q=torch.stack([turn(qkv[t,b:b+d],t) for t in range(len(ids))]); key=torch.stack([turn(qkv[t,b+d:b+2*d],t) for t in range(len(ids))]); v=qkv[:,b+2*d:b+3*d]
            for t in range(len(ids)):
                s=torch.softmax(key[:t+1]@q[t]/math.sqrt(d),0); att[t,k*d:(k+1)*d]=s@v[:t+1]
        m=h@W[p+'mlp.gate_proj.weight'].T; ff,gate=m[:,:I],m[:,I:]
        x=x+att@W[p+'attention.out_proj.weight'].T+(ff*gate*torch.sigmoid(gate))@W[p+'mlp.out_proj.weight'].T
        out[f'{n}.block.{i}']=x
    out[f'{n}.logits']=norm(x,'transformer.final_norm')@W['lm_head.weight'].T
f=os.path.join(os.path.dirname(os.path.abspath(__file__)),'architectures','stablelm-alpha'); os.makedirs(f,exist_ok=True)
save_file(w,f+'/model.safetensors',metadata={'format':'pt'}); save_file({k:v.float().contiguous() for k,v in out.items()},f+'/reference.safetensors')
json.dump({'sequences':seqs},open(f+'/inputs.json','w'))
json.dump(dict(architectures=['StableLMAlphaForCausalLM'],model_type='stablelm_alpha',hidden_act='silu',hidden_size=H,num_heads=N,num_hidden_layers=L,max_position_embeddings=64,norm_eps=E,rotary_pct=0.5,rotary_emb_base=10000,tie_word_embeddings=False,torch_dtype='bfloat16',vocab_size=V),open(f+'/config.json','w'),indent=2)
